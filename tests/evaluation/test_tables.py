import html.parser

import pytest

from tamperscope.evaluation.layout import LAYOUTS
from tamperscope.evaluation.table_parts import FORMAT, ResultFileError, Table, cell, with_interval
from tamperscope.evaluation.tables import tables_of


def result(dataset, protocol, **more):
    return {
        "format": FORMAT,
        "metadata": {"commit": "abc123"},
        "method": {"name": "ours"},
        "setting": {"dataset": dataset, "protocol": protocol, "legacy": False},
        "part": "all",
        "limit": None,
        "sizes": "native",
        **more,
    }


def photo_set(name, f1, tampered):
    return {
        "set": name, "f1": f1, "iou": f1 / 2, "mcc": f1, "tampered": tampered, "empty_truths": 0,
        "f1_interval": None, "iou_interval": None, "pristine": None, "graded": None,
        "legacy": {"f1": f1, "iou": f1 / 2, "images": tampered},
    }  # fmt: skip


def biofors(dataset, categories, area_ths=(None,)):
    scores = {"precision": 0.125, "f1": 0.5, "mcc": -0.25}
    level = {
        "counts": {"hits": 1, "false_alarms": 2, "misses": 3, "rejections": 4},
        "corrected": scores,
        "mcc_interval": (-0.5, 0.0),
        "legacy": {**scores, "mcc": "nan"},
    }
    entries = [
        {"area_th": area_th, "category": name, "image": level, "pixel": level, "units": 10,
         "missing": 0}
        for area_th in area_ths
        for name in (*categories, "Combined")
    ]  # fmt: skip
    return result(dataset, "biofors", entries=entries)


def test_numbers_look_as_papers_print_them():
    assert cell(0.7014, 0.526) == ".701/.526"
    assert cell(1.0, -0.25, None, "nan") == "1.000/-.250/-/nan"
    assert with_interval(0.5, (0.4, 1.0)) == ".500 (.400 to 1.000)"
    assert with_interval(None, None) == "-"


def test_results_of_one_method_share_a_row_and_published_rows_say_where_they_stand():
    (table, details) = tables_of([
        result("columbia", "photographs", sets=[photo_set("columbia", 0.8, 30)]),
        result("coverage", "photographs", sets=[photo_set("coverage", 0.2, 10)]),
    ])  # fmt: skip
    ours = table.rows[-1]
    assert ours[2:] == ("80.0/40.0", "20.0/10.0", "65.0/32.5", "50.0/25.0")
    assert "measured here at abc123" in ours[1]
    weighted = {row[0]: row[-2] for row in table.rows if "average" in row[1]}
    assert weighted == {"ForMa": "64.1/56.2", "LoMa": "61.5/52.7"}
    assert all("published" in row[1] for row in table.rows[:-1])
    assert len(details.rows) == 2
    (alone, _) = tables_of(
        [result("tpgt", "photographs", sets=[photo_set("tpgt", 0.8, 3)])], published=True
    )
    assert len(alone.rows) == 1  # no paper prints a folder of one's own


def test_operations_have_a_table_where_a_set_tells_of_them():
    part = {"images": 7, "f1": 0.5, "f1_interval": (0.4, 0.6), "iou": 0.25, "auc": None}
    told = photo_set("casia_v1", 0.5, 7) | {"operations": {"copy-move": part}}
    (_, _, operations) = tables_of([
        result("columbia", "photographs", sets=[photo_set("columbia", 0.8, 30)]),
        result("casia_v1", "photographs", sets=[told]),
    ])  # fmt: skip
    (row,) = operations.rows
    assert row[2:] == ("casia_v1", "copy-move", "7", ".500 (.400 to .600)", ".250", "-")


def test_biofors_rows_line_up_with_the_published_ones():
    edd, details, idd, _, cstd, _ = tables_of([
        biofors("biofors_edd", ["Microscopy", "FACS"], (0.1, 0.0)),
        biofors("biofors_idd", ["Microscopy"]),
        biofors("biofors_cstd", ["Blot/Gel"]),
    ])  # fmt: skip
    assert edd.head[2:] == ("Microscopy", "Blot/Gel", "Macroscopy", "FACS", "Combined")
    paper = next(row for row in edd.rows if row[0] == "BioTamperNet")
    assert paper[2:] == (".739/.487", ".672/.589", ".743/.577", ".652/.448", ".701/.526")
    assert [row[0] for row in edd.rows[-2:]] == ["ours, area filter 0.1", "ours, area filter 0"]
    assert edd.rows[-1][2:] == ("-.250/-.250", "-", "-", "-.250/-.250", "-.250/-.250")
    assert "FACS" not in idd.head
    guessed = biofors("biofors_edd", ["FACS"], (0.1,)) | {"reconstructed_pairs": True}
    assert tables_of([guessed])[0].rows[-1][1].endswith("pair list reconstructed")
    assert cstd.rows[-1][2:] == (".500/.500", "-.250/-.250")
    both = biofors("biofors_cstd", ["Blot/Gel"])
    both["setting"]["legacy"] = True
    assert len(details.rows) == 2 * 3 * 2
    assert details.rows[0][2:] == (
        "0.1", "Microscopy", "10 (0)", "image", "1", "2", "4", "3", "-", "0.1250", "-", "0.5000",
        "-.250 (-.500 to .000)", "-",
    )  # fmt: skip
    (table, details) = tables_of([both], published=False)
    assert [row[-2] for row in details.rows[:2]] == ["-.250 (-.500 to .000)", "nan"]
    assert [row[3] for row in table.rows] == ["-.250/-.250", "nan/nan"]


def test_subsets_and_figures_have_their_tables():
    entry = {"set": "western_blots/automatic", "mcc": 0.5, "mcc_interval": (0.4, 0.6)}
    (table,) = tables_of([
        result("western_blots", "subsets", sets=[entry, {**entry, "set": "pooled"}], plain_mcc=0.5),
    ])  # fmt: skip
    assert table.rows[-1][2:] == (".500 (.400 to .600)", ".500 (.400 to .600)", ".500", "-")
    paper = next(row for row in table.rows if row[0] == "BioTamperNet")
    assert paper[2:] == ("-", "-", "-", ".913")  # never in a column of ours
    assert "not stated" in table.head[-1]
    (table,) = tables_of([
        result("recodai", "recodai", of1=0.4, of1_interval=None, floor=0.46, of1_forged=0.1,
               of1_authentic=0.8, forged=54, authentic=46),
    ])  # fmt: skip
    assert table.rows[0][2:] == (".400", ".460", ".100, n = 54", ".800, n = 46")


def test_another_file_has_no_place_in_a_table():
    with pytest.raises(ResultFileError, match="seams/1"):
        tables_of([{"format": "tamperscope-seams/1"}])


AWKWARD = Table("T & <t>", ("method", "from", "x"), (("a|b", "50 % & \\", "<1_2>"),), ("note #1",))


def test_every_layout_escapes_what_it_must():
    markdown = LAYOUTS["markdown"](AWKWARD)
    assert r"| a\|b | 50 % & \ | <1_2> |" in markdown
    latex = LAYOUTS["latex"](AWKWARD)
    assert r"a|b & 50 \% \& \textbackslash{} & $<$1\_2$>$ \\" in latex
    assert r"\begin{tabular}{llc}" in latex
    assert LAYOUTS["text"](AWKWARD).splitlines()[1] == "method  from      x"

    cells = []

    class Reader(html.parser.HTMLParser):
        def handle_data(self, data):
            cells.append(data)

    Reader().feed(LAYOUTS["html"](AWKWARD))
    assert {"a|b", "50 % & \\", "<1_2>", "note #1", "T & <t>"} <= set(cells)
