"""Cross-attention between two panels, with their affinity as a term of the logits.

    X_i = S_i + W_o sum_j softmax_j( <W_q S_i, K_j> / sqrt(d) + lambda_h log P_ij ) K_j,
    K = conv1x1(the other panel's tokens): values equal keys, as published

log P is the bidirectional softmax of :mod:`tamperscope.models.affinity` in logarithms; the sources
name the term Lambda and not its form. lambda is learned for each head, from 1. What is attended to
says what the partner looks like, not whether there is one; so the strongest affinities of every
cell are refined into a map of their own, which the decoder gets beside the attended tokens.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from tamperscope.models.affinity import (
    Embedding,
    Refinement,
    Rows,
    Similarity,
    Strongest,
    strongest,
)


class CrossAttention(nn.Module):
    """Let the cells of one panel look at those of another.

    Args:
        width: Channels of the tokens.
        heads: Attention heads.
        top_k: Affinities of each cell that are refined into its map; 0 without affinity.
        attend: Whether there is attention; without it the affinity map alone crosses over.
        agreed: Whether the consensus of neighbouring cells is refined into the map too.
    """

    def __init__(self, width: int, heads: int, top_k: int, *, attend: bool, agreed: bool) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"{heads} heads do not divide a width of {width}")
        self.heads, self.top_k, self.attend = heads, top_k, attend
        if attend:
            self.query = nn.Linear(width, width)
            self.key = nn.Linear(width, width)
            self.out = nn.Linear(width, width)
            if top_k:
                self.trust = nn.Parameter(torch.ones(heads))
        self.refine = Refinement(top_k, agreed=agreed) if top_k else None

    def keys(self, tokens: Tensor) -> Tensor:
        """Keys, which are the values too, of a panel: (batch, head, cell, channel)."""
        return self.split(self.key(tokens.flatten(1, 2)))

    def forward(
        self,
        tokens: Tensor,
        embedding: Embedding,
        other_keys: Tensor | None,
        other: Embedding,
        similarity: Similarity | None,
        *,
        same: bool,
    ) -> tuple[Tensor, Tensor | None, Rows | None]:
        """Look from one panel at another.

        Args:
            tokens: (batch, rows, columns, channel) of the panel that looks.
            embedding: Of its cells.
            other_keys: What :meth:`keys` made of the panel that is looked at; None without
                attention.
            other: The embedding of that panel.
            similarity: Between the two; None is the ablation without affinity.
            same: Whether both are one image.

        Returns:
            Tokens with what was seen added; the logits of the cross-affinity map, (batch, rows,
            columns), None without affinity; and in training, to be learned from, its rows.
        """
        blocks: Iterable[Rows | None] = [None]
        if similarity is not None:
            blocks = similarity.rows(embedding, other, same=same)
        queries = self.split(self.query(tokens.flatten(1, 2))) if self.attend else None
        seen: list[Tensor] = []
        strong: list[Strongest] = []
        whole = None
        for rows in blocks:
            if queries is not None and other_keys is not None:
                seen.append(self.attended(queries, other_keys, rows))
            if rows is not None:
                strong.append(strongest(rows, self.top_k, embedding.query.shape[1]))
            whole = rows if self.training else None
        if seen:
            tokens = tokens + self.out(torch.cat(seen, dim=1)).view_as(tokens)
        if self.refine is None or not strong:
            return tokens, None, None
        return tokens, self.refine(strong, embedding.grid), whole

    def attended(self, queries: Tensor, keys: Tensor, rows: Rows | None) -> Tensor:
        """Attend from all cells, or from those of ``rows``: (batch, cell, channel)."""
        if rows is not None:
            queries = queries[:, :, rows.cells]
        logits = queries * queries.shape[-1] ** -0.5 @ keys.transpose(-2, -1)
        if rows is not None:
            # The softmax over partners does not see what is constant in a row.
            logits = logits.addcmul(2 * self.trust[:, None, None], rows.half[:, None])
        return (logits.softmax(dim=-1) @ keys).transpose(1, 2).flatten(2)

    def split(self, x: Tensor) -> Tensor:
        """(batch, cell, channel) -> (batch, head, cell, channel of a head)."""
        return x.view(len(x), x.shape[1], self.heads, -1).transpose(1, 2)
