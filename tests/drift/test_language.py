"""The light guess of script and language."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.drift.language import dominant_script, guess_language


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "The invoice is attached and you can pay it with the card that we have on file."),
        ("de", "Die Rechnung ist angehängt, und Sie können sie mit der Karte bezahlen, die wir haben."),
        ("fr", "La facture est jointe et vous pouvez la payer avec la carte que nous avons dans le dossier."),
        ("es", "La factura está adjunta y usted puede pagarla con la tarjeta que tenemos en los archivos."),
        ("it", "La fattura è allegata e può essere pagata con la carta che abbiamo nel nostro archivio, se non ci sono altre."),
        ("pt", "A fatura está em anexo e você pode pagar com o cartão que temos, se não for possível também pode ligar."),
        (
            "nl",
            "De factuur is bijgevoegd en je kunt hem betalen met de kaart die wij van je hebben, als dat niet lukt bel ons.",
        ),
        ("pl", "Faktura jest w załączniku i można ją zapłacić kartą, którą mamy na koncie, jeśli nie jest już za późno."),
        ("sv", "Fakturan är bifogad och du kan betala den med kortet som vi har, om det inte är för sent."),
        ("ru", "Счёт приложен, и вы можете оплатить его картой, которая у нас есть, если это не поздно."),
        ("uk", "Рахунок додано, і ви можете оплатити його карткою, яка у нас є, якщо це не пізно."),
        ("el", "Το τιμολόγιο επισυνάπτεται."),
        ("ja", "請求書を添付しました。カードでお支払いいただけます。"),
        ("zh", "发票已附上，您可以用信用卡付款。"),
        ("ko", "청구서를 첨부했습니다."),
    ],
)
def test_a_sentence_is_enough_for_a_guess(language: str, text: str) -> None:
    """Stop words tell eleven languages apart, and a few scripts stand for one language."""
    assert guess_language(text) == language


@pytest.mark.parametrize("text", ["", "42", "Yes", "x = a + b * i", "Berlin Paris Roma", "!!! ???", "la la la la"])
def test_it_says_nothing_when_unsure(text: str) -> None:
    """Too short, names only or formulas: unknown is None, never a guess."""
    assert guess_language(text) is None


def test_the_script_is_the_one_most_letters_are_in() -> None:
    """A foreign name does not change the script; without letters there is none."""
    assert dominant_script("Привет from Москва и Петербурга") == "cyrillic"
    assert dominant_script("12:30 — 100 %") is None


@given(st.text())
def test_any_text_is_read_without_fault(text: str) -> None:
    """No text makes the guess fail."""
    assert guess_language(text) is None or len(guess_language(text) or "") == 2
