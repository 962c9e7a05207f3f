import pytest

from tamperscope.data.catalog import DATASETS
from tamperscope.evaluation.published import FOLDER, PublishedTable, find_table, published_tables
from tamperscope.models.published import BIOTAMPERNET_TABLE, FORMA_QUOTE, FORMA_TABLE, PUBLISHED


def test_every_number_is_a_score_and_names_its_paper():
    assert len(published_tables()) == sum(1 for _ in FOLDER.glob("*.json")) + 8
    for table in published_tables():
        assert "arXiv" in table.paper
        assert table.place
        numbers = [n for row in table.rows.values() for cell in row for n in cell]
        if table.id == "complexity":
            continue
        top = 100 if "%" in table.score else 1
        assert all(-1 <= n <= top for n in numbers)
        if table.dataset not in (None, "photographs"):
            assert set(table.dataset.split(", ")) <= DATASETS.keys()


def test_the_spots_that_the_sources_state_in_words():
    """Sums and facts that the specification tells beside the tables."""
    edd, idd = find_table("biotampernet/edd"), find_table("biotampernet/idd")
    pixel = {m: row[edd.columns.index("FACS")][1] for m, row in edd.rows.items()}
    assert max(pixel, key=pixel.get) == "DenseField-ZM"  # BioTamperNet's only loss
    combined = {m: row[idd.columns.index("Combined")][0] for m, row in idd.rows.items()}
    second = sorted(combined.values())[-2]
    assert combined["BioTamperNet"] - second == pytest.approx(0.132)
    full = find_table("biotampernet/ablations").rows["full"]
    assert [cell[0] for cell in full] == [cell[1] for cell in edd.rows["BioTamperNet"][:3]]
    average = find_table("biotampernet/integrity").rows
    means = [(row[0][0] + row[1][0]) / 2 for row in average.values()]
    assert means == pytest.approx([0.329, 0.641, 0.791, 0.939], abs=6e-4)
    assert all(row[2][0] not in means for row in average.values())


def test_the_cost_tables_agree_with_those_of_the_networks():
    costs = {(cost.source, cost.method, cost.size): cost for cost in PUBLISHED}
    for method, (size, parameters, operations) in find_table(
        "biotampernet/complexity"
    ).rows.items():
        cost = costs[BIOTAMPERNET_TABLE, method, size[0]]
        assert (cost.parameters, cost.operations) == (parameters[0], operations[0])
    for method, row in find_table("forma/complexity").rows.items():
        for size, place in ((512, 1), (1024, 2)):
            source = FORMA_TABLE if method == "ForMa" else FORMA_QUOTE
            cost = costs[source, method, size]
            assert (cost.parameters, cost.operations) == (row[0][0], row[place][0])


def test_a_row_that_does_not_fit_its_head_is_refused():
    with pytest.raises(ValueError, match="row of M"):
        PublishedTable("N", "P", "", "i", None, "there", "F1", ("a", "b"), ("x",), {"M": ((1.0,),)})
    with pytest.raises(ValueError, match="no published table"):
        find_table("forma/none")
