from __future__ import annotations

import html
import time

import pytest

from asclip.files.report import sections, sentences

MIMIC_STYLE = """                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 INDICATION:  ___ year old woman with ?pleural effusion  // ?pleural effusion

 COMPARISON:  Chest radiograph from ___, ___.

 FINDINGS:

 Cardiac size cannot be evaluated.  Large left pleural effusion is new.  Small
 right effusion is new.  Lungs: 1.5 cm nodule.

 IMPRESSION:

 1. Large left and moderate right pleural effusions.
 2. No pneumothorax.
"""


def test_a_report_with_headings():
    parts = sections(MIMIC_STYLE)
    assert list(parts) == ["examination", "indication", "comparison", "findings", "impression"]
    assert parts["findings"].startswith("Cardiac size")
    assert parts["findings"].endswith("Lungs: 1.5 cm nodule.")
    assert "?pleural effusion // ?pleural effusion" in parts["indication"]
    assert sentences(parts["impression"]) == [
        "Large left and moderate right pleural effusions.",
        "No pneumothorax.",
    ]
    assert sentences(parts["findings"])[1:3] == [
        "Large left pleural effusion is new.",
        "Small right effusion is new.",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "FINDINGS: Clear. IMPRESSION: Normal.",
        "Findings: Clear.\nImpression: Normal.",
        "findings\nClear.\nconclusion\nNormal.",
        "**Findings:** Clear.\n**Impression:** Normal.",
        "## Findings\nClear.\n## Impression\nNormal.",
        "<b>FINDINGS</b>: Clear.<br/><b>CONCLUSIONS</b>: Normal.",
        "<p>Findings:</p><p>Clear.</p><p>Opinion:</p><p>Normal.</p>",
        "FINDINGS :\r\nClear.\r\nIMPRESSION :\r\nNormal.",
        "REPORT:\tClear.\n\n\nIMPRESSION(S):\tNormal.\n_______\n",
    ],
)
def test_styles_of_headings(text):
    assert sections(text) == {"findings": "Clear.", "impression": "Normal."}


def test_no_false_headings():
    text = "Past history: none. The finding: a nodule. Impression of a mass, see report: old."
    assert sections(text) == {"text": text}
    assert sections("Comparison with 2012 shows nothing.") == {
        "text": "Comparison with 2012 shows nothing."
    }


def test_a_body_without_a_heading():
    told = "HISTORY:\n\nCough.\n\nCOMPARISON: None.\n \nMass.\n\nScar."
    assert sections(told) == {
        "history": "Cough.",
        "comparison": "None.",
        "text": "Mass.\n\nScar.",
    }
    assert sections("VIEWS: Two.\n\nMass.\nIMPRESSION: Mass.\n\nOld.") == {
        "technique": "Two.",
        "text": "Mass.",
        "impression": "Mass.\n\nOld.",
    }
    # Where findings have a heading, the history may have paragraphs.
    told = "HISTORY: Cough.\n\nMass.\nRESULTS: Scar."
    assert sections(told) == {"history": "Cough.\n\nMass.", "findings": "Scar."}


def test_empty_repeated_and_leading_text():
    assert sections("") == {}
    assert sections("FINDINGS:\n\nIMPRESSION:  \n") == {}
    parts = sections("CT chest.\nFINDINGS: A.\nIMPRESSION: B.\nFINDINGS: C.")
    assert parts == {"text": "CT chest.", "findings": "A.\nC.", "impression": "B."}
    assert sections("FINDINGS AND IMPRESSION: A.") == {"findings": "A."}
    assert sections("CLINICAL HISTORY: Cough &amp; fever &lt; 3 d.")["history"].startswith(
        "Cough & f"
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("No effusion. No mass.", ["No effusion.", "No mass."]),
        ("Seen by Dr. Smith. Stable.", ["Seen by Dr. Smith.", "Stable."]),
        ("Opacity, e.g. scar, i.e. old. New.", ["Opacity, e.g. scar, i.e. old.", "New."]),
        ("Nodule of 1.5 cm. Was 2.25 x 3 mm.", ["Nodule of 1.5 cm.", "Was 2.25 x 3 mm."]),
        ("A 3 cm. mass vs. scar.", ["A 3 cm. mass vs. scar."]),
        ("Compared to No. 3 of the series.", ["Compared to No. 3 of the series."]),
        ("1. Effusion. 2. Nodule 3 mm.", ["Effusion.", "Nodule 3 mm."]),
        ("1) Effusion\n2) Nodule", ["Effusion", "Nodule"]),
        ("- clear lungs\n- normal heart", ["clear lungs", "normal heart"]),
        ("the heart is normal . lungs are clear .", ["the heart is normal .", "lungs are clear ."]),
        ("heart is normal. lungs are clear.", ["heart is normal.", "lungs are clear."]),
        ("The heart is\nenlarged. Lungs clear", ["The heart is enlarged.", "Lungs clear"]),
        ("No pneumothorax\nNo effusion", ["No pneumothorax", "No effusion"]),
        ("Pneumonia? Or not! Yes.", ["Pneumonia?", "Or not!", "Yes."]),
        ("At 4 p.m. Stable at 5 a.m. today.", ["At 4 p.m.", "Stable at 5 a.m. today."]),
        ("Opacity ? scar. Mass (? old) ?", ["Opacity ? scar.", "Mass (? old) ?"]),
        ("? Effusion. 1. ? mass", ["? Effusion.", "? mass"]),
        ("1) Mass 2) Scar (image 2) No 3) 5 mm", ["Mass", "Scar (image 2) No", "5 mm"]),
        ("The mass (at the head) is old.", ["The mass (at the head) is old."]),
        ("– mass\n— scar", ["mass", "scar"]),
        ("NO MASS OR\nSCAR. OLD\nFRACTURES.", ["NO MASS OR SCAR.", "OLD FRACTURES."]),
        (
            "NO MASS OR SCAR.\nLUNGS:\nWELL-\nAERATED",
            ["NO MASS OR SCAR.", "LUNGS:", "WELL-AERATED"],
        ),
        ("NO MASS\nA LONG LINE ON A SCAR.", ["NO MASS", "A LONG LINE ON A SCAR."]),
        ("NO MASS\nSCARS", ["NO MASS", "SCARS"]),
        ("XXXX-year-old. XXXX XXXX.", ["XXXX-year-old.", "XXXX XXXX."]),
        ('Called "normal." Stable...', ['Called "normal."', "Stable..."]),
        ("", []),
        (" . \n ", []),
    ],
)
def test_sentences(text, wanted):
    assert sentences(text) == wanted


def test_nothing_is_lost_but_list_marks():
    kept = "".join(sentences(MIMIC_STYLE)).replace(" ", "")
    words = [word for word in MIMIC_STYLE.split() if word not in ("1.", "2.", "//")]
    assert all(word in kept for word in words)


def test_a_long_cell_takes_no_time():
    text = "FINDINGS: The heart is of normal size, e.g. as before.\n1. No mass of 1.5 cm. " * 20000
    start = time.perf_counter()
    assert len(sentences(text)) >= 40000
    sections(text)
    sections("F" * 1_000_000)
    sections(" \t" * 300_000 + "\n" * 100_000)
    sentences(" " * 500_000 + "\n" * 100_000)
    sentences("? " * 50_000)
    sentences("NO EFFUSION 2) MASS.\n" * 20_000)
    sections("HISTORY: A.\n\n" * 20_000)
    assert time.perf_counter() - start < 10


@pytest.mark.realdata
def test_real_reports(shared):
    import pandas

    table = pandas.read_csv(shared("openi_reports_text_only") / "reports.csv").fillna("")
    several = 0
    for row in table.head(500).itertuples():
        text = (
            f"INDICATION: {row.indication}\nFINDINGS: {row.findings}\nIMPRESSION: {row.impression}"
        )
        parts = sections(text)
        for name in ("findings", "impression"):
            wanted = " ".join(html.unescape(getattr(row, name)).split())
            assert " ".join(parts.get(name, "").split()) == wanted
        several += len(sentences(row.findings)) > 2
    assert several > 300
