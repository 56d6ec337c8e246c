"""A bag of words: the vector of each word alone, whatever stands around it.

The tower averages them into a text (deep averaging network: Iyyer et al. 2015, ACL P15-1162). Of a
thousand or two of texts it learns more than attention does, in half the time: there is one vector
to learn for a word, and nothing for what words do to one another. For that reason it cannot tell
"no effusion, but consolidation" from "no consolidation, but effusion".
"""

from __future__ import annotations

from torch import Tensor, nn


class Words(nn.Module):
    """Token ids [B, T] -> hidden states [B, T, width]; the mask [B, T] plays no part.

    There is no norm here: a word that matters more may grow a longer vector.
    """

    def __init__(self, vocabulary: int, width: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        nn.init.normal_(self.words.weight, std=0.1)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The words' vectors, float32."""
        return self.words(ids)
