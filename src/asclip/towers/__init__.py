"""Towers: tensors in, `Encoded` out, in one joint space of width D.

    ImageTower   pixels [B, C, H, W]  -> raw features -> pooled [B, D], local [B, N, D]
    TextTower    Tokens [B, T]        -> raw features -> pooled [B, D], local [B, T, D]
    DualEncoder  Batch                -> Pair: what the training step calls
    Model        DualEncoder + Tokenizer + Preprocessing: what tasks call, saved as one folder

Rules of the folder. A tower never normalises to unit length: objectives and tasks do. Raw features
may be cached (`frozen.py`) and given to a tower in place of its input. A locked backbone stays in
evaluation mode and has no gradient. A tower is fully described by its JSON configuration, so a
saved model loads with no network and no other file. `transformers` is imported when a backbone
of it is built, never before.
"""
