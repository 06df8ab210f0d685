"""Prints the threshold under which `osler answer` abstains: `.venv/bin/python scripts/fit_abstention.py demo-index`.

Answerable: 600 layperson synonyms of the Human Phenotype Ontology, asked as questions, scored against the passage of
their own term without its synonyms, so that the words of the question need not be there. Unanswerable: questions of
everyday life, scored as the search scores them, by the best passage of the index (make demo builds it).
"""

import random
import sys

from osler import Document, load_searcher
from osler.answer.abstain import confidence, fit_threshold
from osler.corpus import read_documents
from osler.late_interaction.maxsim import maxsim
from osler.records import Passage

ASKED = ("{}", "What is {} called?", "What does {} mean?")
UNANSWERABLE = (
    "When does the next train to Paris leave?",
    "Who won the football match last night?",
    "How do I bake sourdough bread?",
    "What is the capital of Australia?",
    "Which laptop is best for video editing?",
    "How much is the rent of a flat in Berlin?",
    "What is the plot of Hamlet?",
    "How do I change the oil of my car?",
    "Which mortgage has the lowest interest rate?",
    "How do I centre a box in a web page?",
    "Who painted the Mona Lisa?",
    "What time is it in Tokyo?",
    "How do I file my tax return?",
    "Which seeds should I sow in March?",
    "How tall is the Eiffel Tower?",
    "What does the new phone cost?",
    "How do I learn to play the guitar?",
    "Where can I park near the stadium?",
    "Why is the sky blue?",
    "How do I cancel my subscription?",
    "Which film won the Oscar in 1994?",
    "How many players are in a rugby team?",
    "What is the exchange rate of the yen?",
    "How do I renew my passport?",
    "Which museum is open on Mondays?",
    "How do I sort a list in Python?",
    "When was the Battle of Waterloo?",
    "What is the weather like tomorrow?",
    "Which wine goes with fish?",
    "How do I train a puppy to sit?",
    "What is the speed limit on a motorway?",
    "Who wrote One Hundred Years of Solitude?",
    "How do I remove wallpaper?",
    "Which planets have rings?",
    "How long do I boil an egg?",
    "What is the longest river of Asia?",
    "How does a combustion engine work?",
    "Which stocks pay a high dividend?",
    "How do I write a cover letter?",
    "What is the offside rule?",
)


def main() -> None:
    searcher = load_searcher(sys.argv[1])
    reranker = searcher.reranker
    terms = [one for one in read_documents(["hpo"]) if isinstance(one, Document) and one.metadata.get("layperson")]
    chosen = random.Random(0).sample(terms, 600)
    passages = reranker.encode_passages([without_synonyms(term) for term in chosen])
    questions = [
        ASKED[number % len(ASKED)].format(term.metadata["layperson"][0].lower()) for number, term in enumerate(chosen)
    ]
    vectors = reranker.encode_queries(questions)
    answerable = [float(maxsim(query, passages)[number]) for number, query in enumerate(vectors)]
    unanswerable = [confidence(searcher.search(question)) for question in UNANSWERABLE]
    fit = fit_threshold(answerable, unanswerable)
    print(
        f"{fit.threshold:.3f}: answers {fit.answered:.1%} of the answerable, declines {fit.declined:.1%} of the others"
    )


def without_synonyms(term: Document) -> Passage:
    text = "\n\n".join(section.text for section in term.sections if section.heading != "Synonyms")
    return Passage(f"{term.doc_id}#0", term.doc_id, term.title, text, 0, len(text))


if __name__ == "__main__":
    main()
