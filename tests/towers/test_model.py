from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from asclip.errors import ModelError
from asclip.files.preprocessing import Preprocessing
from asclip.towers.model import Model
from asclip.types import Encoded

from .conftest import REPORTS, Pixels, tiny_encoder


def test_a_study_is_the_mean_of_its_images_directions(model):
    data = Pixels()
    seen = []
    studies = model.encode_images(
        data, batch=4, local=True, progress=lambda *counts: seen.append(counts)
    )
    single = model.encode_pixels(data.pixels, local=True)
    for study, slots in enumerate(data.image_rows()):
        expected = normalize(single.pooled[slots], dim=1).mean(0)
        torch.testing.assert_close(studies.pooled[study], expected)
        torch.testing.assert_close(studies.local[study], single.local[slots[0]])
    assert studies.pooled.dtype == torch.float32
    assert seen == [(4, 6), (6, 6)]


def test_local_vectors_come_only_when_something_reads_them(model):
    assert model.encode_images(Pixels()).local is None
    model.scorer = lambda image, text: torch.zeros(len(image.pooled), len(text.pooled))
    assert model.encode_images(Pixels()).local is not None
    assert model.encode_texts(REPORTS).valid is not None
    assert model.score(model.encode_images(Pixels()), model.encode_texts(REPORTS)).sum() == 0


def test_a_study_without_an_image_is_unknown(model):
    data = Pixels()
    data.image_rows = lambda: [np.array([1]), np.array([], dtype=int)]
    pooled = model.encode_images(data).pooled
    assert pooled[0].isfinite().all()
    assert pooled[1].isnan().all()


def test_texts_keep_their_order_and_do_not_depend_on_the_batch(model):
    texts = [REPORTS[1], REPORTS[0], REPORTS[1], ""]
    together = model.encode_texts(texts, local=True)
    one_by_one = model.encode_texts(texts, batch=1, local=True)
    torch.testing.assert_close(together.pooled, one_by_one.pooled, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(together.pooled[0], together.pooled[2])
    assert together.valid.equal(one_by_one.valid)
    for row, text in enumerate(texts):
        alone = model.encode_texts([text], local=True)
        length = int(alone.valid.sum())
        torch.testing.assert_close(
            together.local[row, :length], alone.local[0], rtol=1e-4, atol=1e-5
        )
    assert model.encode_texts([]).pooled.shape == (0, 16)


def test_the_score_is_a_cosine(model):
    image = Encoded(torch.tensor([[3.0, 0.0]]))
    text = Encoded(torch.tensor([[5.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]))
    assert model.score(image, text).tolist() == [[1.0, 0.0, -1.0]]


def test_data_of_another_preprocessing_is_refused(model):
    with pytest.raises(ModelError, match=r"trained with window = file.*ingested with full"):
        model.encode_images(Pixels(Preprocessing(size=(32, 32), window="full")))
    with pytest.raises(ModelError, match=r"must have shape \(32, 32\)"):
        model.encode_pixels(np.zeros((1, 16, 16), np.uint8))


def test_saved_and_loaded_it_is_the_same_model_bit_for_bit(model, tmp_path):
    model.save(tmp_path / "run")
    loaded = Model.load(tmp_path / "run")
    assert loaded.scale == 14.0
    assert loaded.preprocessing == model.preprocessing
    data = Pixels()
    assert loaded.encode_images(data).pooled.equal(model.encode_images(data).pooled)
    assert loaded.encode_texts(REPORTS).pooled.equal(model.encode_texts(REPORTS).pooled)
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        "model.json",
        "model.safetensors",
        "tokenizer.json",
    ]


def test_model_json_holds_no_path(model, tmp_path):
    model.save(tmp_path / "run")
    text = (tmp_path / "run" / "model.json").read_text()
    assert str(tmp_path) not in text
    assert "/" not in text


@pytest.fixture
def saved(model, tmp_path):
    model.save(tmp_path)
    return tmp_path


def edit(folder, change):
    values = json.loads((folder / "model.json").read_text())
    change(values)
    (folder / "model.json").write_text(json.dumps(values))


def test_weights_of_another_architecture_are_refused_by_name(saved, tokenizer):
    edit(saved, lambda values: values["image"].update(name="small"))
    with pytest.raises(ModelError, match=r"missing, first 'image\.backbone.*must have"):
        Model.load(saved)
    edit(saved, lambda values: values["image"].update(name="tiny", local="own"))
    with pytest.raises(ModelError, match=r"first 'image\.local_projection\.norm\.weight'"):
        Model.load(saved)


def test_extra_weights_are_refused_by_name(model, saved, tokenizer):
    Model(tiny_encoder(tokenizer, local="own"), tokenizer, model.preprocessing).save(saved)
    edit(saved, lambda values: values["image"].update(local="shared"))
    edit(saved, lambda values: values["text"].update(local="shared"))
    with pytest.raises(ModelError, match=r"not of this architecture, first '.*local_projection"):
        Model.load(saved)


class Bomb:
    def __reduce__(self):
        return (print, ("a pickle ran",))


@pytest.mark.parametrize("kind", ["renamed", "zip", "beside"])
def test_a_pickle_is_never_opened(kind, saved, capsys):
    weights = saved / "model.safetensors"
    weights.unlink()
    if kind == "renamed":
        weights.write_bytes(pickle.dumps(Bomb()))
    elif kind == "zip":
        torch.save({"weight": Bomb()}, weights)
    else:
        torch.save({"weight": Bomb()}, saved / "model.pt")
    with pytest.raises(ModelError, match="pickle"):
        Model.load(saved)
    assert "ran" not in capsys.readouterr().out


def test_broken_folders_are_said(saved, tmp_path):
    with pytest.raises(ModelError, match="is not one"):
        Model.load(tmp_path / "nowhere")
    (saved / "model.safetensors").write_bytes(b"12345678broken")
    with pytest.raises(ModelError, match="not a readable safetensors"):
        Model.load(saved)
    edit(saved, lambda values: values.update(format=99))
    with pytest.raises(ModelError, match="format 99"):
        Model.load(saved)
    (saved / "model.json").write_text("{")
    with pytest.raises(ModelError, match="cannot be read"):
        Model.load(saved)
    (saved / "model.json").unlink()
    with pytest.raises(ModelError, match=r"model\.json is not in the folder"):
        Model.load(saved)
