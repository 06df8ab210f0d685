import pytest

from osler.corpus.bibliography import Bibliography, choose_title, first_year, related_ids, title_state


@pytest.mark.parametrize(
    ("date", "year"),
    [
        ("2001 Winter", 2001),
        ("1998 Dec-1999 Jan", 1998),
        ("Spring-Summer 1972", 1972),
        ("1837-1838", 1837),
        ("19990315", 1999),
        ("199903", 1999),
        ("2018/06/21 00:00", 2018),
        ("12345678", None),
        ("Winter", None),
    ],
)
def test_the_year_is_found_in_dates_of_any_shape(date, year):
    assert first_year(date) == year


def test_a_vernacular_title_stands_beside_its_translation_and_takes_the_place_of_none():
    assert choose_title("[Mice].", "Souris.") == ("[Mice].", "Souris.")
    assert choose_title("[In Process Citation]", "Souris.") == ("Souris.", "")
    assert choose_title("[Not Available].", "") == ("[Not Available].", "")
    assert choose_title("Mice.", "Mice.") == ("Mice.", "")


def test_a_reference_to_a_notice_has_a_pmid_or_else_a_doi():
    assert related_ids("J. 2003 May;5(1):7. doi: 10.1/a.b. PMID: 8") == ("PMID:8",)
    assert related_ids("J. 2003 May;5(1):7. doi: 10.1/a.b. Epub 2003") == ("doi:10.1/a.b",)
    assert related_ids("J. 2003 May;5(1):7") == ()


def test_a_notice_is_not_in_the_state_that_its_title_names():
    title = "Retraction: Effect of x on mice"
    assert Bibliography().metadata(title)["retracted"]
    metadata = Bibliography(notice_of={"retraction": ("PMID:8",)}).metadata(title)
    assert (metadata["retracted"], metadata["notice_of"]) == (False, {"retraction": ["PMID:8"]})


@pytest.mark.parametrize("kind", ["Retracted Publication", "Retracted Article", "Withdrawn Publication"])
def test_a_publication_type_makes_a_publication_retracted_even_where_it_is_a_notice(kind):
    assert Bibliography(publication_types=(kind,), notice_of={"correction": ()}).metadata("Mice")["retracted"]


@pytest.mark.parametrize(
    "title",
    [
        "RETRACTED: Effect of x on mice.",
        "Retracted: Effect of x on mice",
        "Retracted: effect of x on mice",
        "Retracted Article: Effect of x",
        "RETRACTED ARTICLE: Effect of x.",
        "Retracted paper: Effect of x",
        "[Retracted] Effect of microRNA on cells.",
        "[RETRACTED ARTICLE] Effect of x",
        "(Retracted) Effect of x",
        "**RETRACTED** effect of x",
        "RETRACTED Effect of x on mice",
        "RETRACTED ARTICLE Effect of x",
        "RETRACTED. Effect of x",
        "RETRACTED – Effect of x",
        "RETRACTED: effect of x",
        "[RETRACTED: Effect of x on mice.]",
        "Retracted (2019): Effect of x",
        "Retracted by the authors: Effect of x",
        "This article has been retracted: Effect of x",
        "Article retracted: Effect of x",
        "Retraction: Enzyme X is a novel therapeutic target in example cancer",
        "Retraction: microRNA-21 in example cancer",
        "Retraction: p53 in example cancer",
        "Retraction: “Effect of x on mice”",
        "Retraction: A randomised trial of x in mice",
        "RETRACTION – Effect of x on mice",
        "RETRACTION: effect of x on mice",
        "Retraction — Effect of x",
        "RETRACTION: EFFECT OF X ON MICE",
        "WITHDRAWN: Interventions for cough.",
        "WITHDRAWN: antiepileptic drug withdrawal in children",
        "Withdrawn: Interventions for cough",
        "[Withdrawn] Interventions for cough",
        "Withdrawn as duplicate: Interventions for cough",
        "WITHDRAWN AS A DUPLICATE: Interventions for cough",
        "Withdrawn at author's request: Interventions for cough",
        "Article withdrawn: Interventions for cough",
        "WITHDRAWN",
        "RETRACTED/WITHDRAWN: Effect of x",
        "Removed: Effect of x.",
        "REMOVED: Effect of x",
        "TEMPORARY REMOVAL: Effect of z.",
        "Temporary removal: Effect of z",
        "Effect of w (Retracted article. See vol. 12, 2010).",
        "Effect of w (Retracted Article. See vol 12, pg 3, 2010 (Issue 2))",
        "Effect of w (retracted)",
        "Effect of w. [Retracted]",
        "Effect of w [Retracted in 2012]",
        "Effect of w RETRACTED ARTICLE",
        "Effect of w: Retracted Article",
        "Effect of w – RETRACTED",
        "Effect of w [Withdrawn]",
        "Effect of w (Withdrawn)",
        "Effect of w [Retraction]",
        "Effect of w - retracted",
        "Effect of w. Retracted article",
        "RETRACTED: EFFECT OF W (RETRACTED ARTICLE. SEE VOL. 12, 2010)",
    ],
)
def test_a_title_that_is_marked_tells_of_a_retracted_study(title):
    assert title_state(title) == "retraction"
    assert title_state(title, ["Journal Article", "Preprint"]) == "retraction"


@pytest.mark.parametrize(
    "title",
    [
        "Effect of x on mice",
        "Retraction of the tongue in infants",
        "[Retraction of the nipple.]",
        "Retraction pocket: a review",
        "Retraction-induced injury: a review",
        "Retraction–protraction of the mandible: Effect on airways",
        "Retraction: a bilingual study of the tongue",
        "Retraction: long-term outcomes after surgery",
        "Retraction: A Systematic Review",
        "Retraction: A Bilingual Study",
        "Retraction: Principles of Tissue Retraction in Surgery",
        "Retracted: a survey of papers in anaesthesia",
        "Retracted: Why Retracted Papers Are Still Cited",
        "Retracted Papers: a survey.",
        "RETRACTED PAPERS: A SURVEY",
        "Retracted papers: What Is Known",
        "Retracted and republished: Effect of v.",
        "Retractions in the medical literature: Effect of fraud",
        "Withdrawn patients: a study of dropouts",
        "Withdrawn patients: Effect on outcomes",
        "Withdrawn: patients who leave trials",
        "Withdrawal: causes and management",
        "Withdrawal: Clinical Management in Adults",
        "Removed teeth in orthodontics: Effect on airways",
        "Removal: Techniques for Hardware",
        "Removal of lead from water",
        "Temporary removal of pacing wires",
        "Outcome of leads (withdrawn patients)",
        "Rofecoxib (withdrawn in 2004) and stroke",
        "Cholesterol drugs (withdrawn)",
        "Citations of articles that were later retracted",
        "How journals handle withdrawal [Editorial]",
        "Partial retraction: the cuff",
        "Should this paper be RETRACTED?",
        "REMOVED FROM HOME: Children in care",
        "Withdrawn and Removed: Drugs of the Decade",
        "Retracted paper 'should never have been published'",
    ],
)
def test_a_study_about_retraction_is_not_retracted(title):
    assert title_state(title) == ""


@pytest.mark.parametrize(
    "title",
    [
        'Retraction notice to "Effect of x".',
        "RETRACTION NOTICE: Effect of x",
        "Retraction Note: Effect of x",
        "Retraction statement: Effect of x",
        "Retraction of: Effect of x",
        "Retraction of “Effect of x” [Retracted]",
        "Retraction.",
        "Notice of Retraction: Effect of x",
        "Correction to: RETRACTED ARTICLE: Effect of x",
        "Erratum: Effect of x (Retracted article. See vol. 12, 2010)",
        "Author Correction: Effect of x",
        "Corrigendum to “Effect of x” [Retracted]",
        "Effect of x (Retraction of vol 5, pg 7, 2003)",
    ],
)
def test_a_notice_that_its_title_gives_away_has_no_state_of_its_own(title):
    assert title_state(title) == ""


@pytest.mark.parametrize(
    "kind",
    ["Retraction of Publication", "Retraction Notice", "retraction", "Published Erratum", "Expression of Concern"],
)
def test_a_notice_by_its_publication_type_has_no_state_of_its_own(kind):
    assert title_state("Retraction: Effect of x on mice", [kind]) == ""
    assert title_state("Expression of Concern: Effect of x on mice", ["Journal Article", kind]) == ""


@pytest.mark.parametrize(
    ("title", "state"),
    [
        ("Expression of Concern: Effect of z.", "concern"),
        ("EXPRESSION OF CONCERN: effect of z", "concern"),
        ("Editorial Expression of Concern: Effect of z", "concern"),
        ("[Expression of Concern] Effect of z", "concern"),
        ("Effect of z (Publication with Expression of Concern. See vol. 7, 2010)", "concern"),
        ("Effect of z [Expression of Concern]", "concern"),
        ("Expression of concern: a survey of nurses", ""),
        ("Expression of concern among nurses: Effect on care", ""),
        ("Expressions of concern in journals", ""),
        ("Effect of z (Expression of Concern of vol 7, 2010)", ""),
    ],
)
def test_a_title_may_tell_of_an_expression_of_concern(title, state):
    assert title_state(title) == state
