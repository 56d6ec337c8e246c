"""Published medical CLIPs: where they are, and how their files become a `Model`.

    table       models.json, one entry a model: page, licence, input, what its file looks like
    reading     a file, a folder or a hub id -> tensors under the official names, SHA-256
    keys        a layout: official key -> its shape and the key of a `transformers` network
    FORMAT      clip, timm_vit, resnet, swin, bert, pair: an architecture read from shapes, a layout
    heads       official projections -> `Projection`
    bpe         CLIP's own vocabulary file -> a tokenizer
    build       entry + tensors + tokenizer -> `Model`

A format is not a model: a further model that has it is a further entry. Every official key is used,
is named by the entry with the reason why no tower needs it, or is an error that names it. A model
for which there is no tower stays in the table with the reason, `loads` false.
"""
