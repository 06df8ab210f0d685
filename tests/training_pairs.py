"""Real questions with passages that answer them, as training examples."""

import json

from osler.train.data import Example, TrainingPassage

_PAIRS = [
    ("What is pericardial effusion?", "Pericardial effusion is fluid that gathers in the sac around the heart."),
    ("What causes scurvy?", "Scurvy is caused by a lack of vitamin C, which collagen needs to be formed."),
    ("How is iron deficiency anaemia treated?", "Iron tablets raise haemoglobin within weeks in iron deficiency."),
    (
        "Who should not take aspirin?",
        "Children with a viral infection must not take aspirin: Reye syndrome may follow.",
    ),
    ("What does insulin do?", "Insulin lets cells take up glucose and so lowers the sugar in the blood."),
    ("How is tuberculosis spread?", "Tuberculosis passes through the air when a person with lung disease coughs."),
    ("What are the signs of a stroke?", "A drooping face, a weak arm and slurred speech point to a stroke."),
    ("Why do the kidneys fail in diabetes?", "High glucose harms the glomeruli, so that protein leaks into urine."),
    ("What is celiac disease?", "In celiac disease gluten makes the immune system damage the small intestine."),
    ("How is malaria prevented?", "Bed nets and tablets before travel protect against the mosquitoes of malaria."),
    ("What is the treatment of gout?", "Allopurinol lowers uric acid; colchicine eases the pain of an attack of gout."),
    ("Which gene is mutated in cystic fibrosis?", "Cystic fibrosis follows from two faulty copies of CFTR."),
    (
        "What is Marfan syndrome?",
        "Marfan syndrome weakens connective tissue: tall stature, a wide aorta, loose lenses.",
    ),
    ("How does penicillin work?", "Penicillin stops bacteria from linking the peptidoglycan of their walls."),
    ("What is the function of the spleen?", "The spleen filters old red cells out of the blood."),
    ("Can measles be prevented?", "Two doses of the measles vaccine protect 97 of 100 children."),
    ("What causes peptic ulcers?", "Most peptic ulcers come from Helicobacter pylori or from anti-inflammatory drugs."),
    ("What is glaucoma?", "In glaucoma a high pressure in the eye destroys the optic nerve."),
    ("How is asthma relieved?", "Inhaled salbutamol widens the airways within minutes in asthma."),
    ("What does the thyroid make?", "The thyroid makes thyroxine, which sets the rate of metabolism."),
    ("What is osteoporosis?", "Osteoporosis is a loss of bone mass that makes hips and vertebrae break."),
    ("How does HIV weaken defence?", "HIV destroys CD4 T cells, until opportunistic infections take hold."),
    ("What are the symptoms of appendicitis?", "Pain that moves to the right lower belly suggests appendicitis."),
    ("What is sickle cell disease?", "Sickle cell disease bends red cells, which then block small vessels."),
]


def pair(number: int, dataset: str = "real") -> Example:
    """The example of one pair, its id its number."""
    return Example(dataset, f"q{number}", _PAIRS[number][0], passage(number))


def passage(number: int) -> TrainingPassage:
    """The passage of one pair."""
    return TrainingPassage(f"d{number}#0", _PAIRS[number][1])


def pairs(dataset: str = "real") -> list[Example]:
    """All 24 pairs."""
    return [pair(number, dataset) for number in range(len(_PAIRS))]


def write_pairs(folder):
    """The pairs as a data set in BEIR's layout."""
    folder.mkdir()
    examples = pairs()
    corpus = [{"_id": f"d{n}", "title": "", "text": one.positive.text} for n, one in enumerate(examples)]
    queries = [{"_id": one.query_id, "text": one.query} for one in examples]
    qrels = ["query-id\tcorpus-id\tscore", *(f"{one.query_id}\td{n}\t1" for n, one in enumerate(examples))]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, corpus)))
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    (folder / "qrels_train.tsv").write_text("\n".join(qrels))
