"""What an SMS takes."""

from __future__ import annotations

import pytest

from notifications.segments import segmented, thrifty


@pytest.mark.parametrize(
    ("text", "encoding", "characters", "segments"),
    [
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("€" * 80, "GSM-7", 160, 1),
        ("€" * 81, "GSM-7", 162, 2),
        ("a" * 152 + "€" + "a" * 10, "GSM-7", 164, 2),
        ("€" * 153, "GSM-7", 306, 3),
        ("é" + "a" * 159, "GSM-7", 160, 1),
        ("₹" + "a" * 69, "UCS-2", 70, 1),
        ("₹" + "a" * 70, "UCS-2", 71, 2),
        ("न" * 134, "UCS-2", 134, 2),
        ("न" * 135, "UCS-2", 135, 3),
        ("😀" * 35, "UCS-2", 70, 1),
        ("😀" * 67, "UCS-2", 134, 3),
        ("’", "UCS-2", 1, 1),
    ],
)
def test_a_message_takes_as_many_segments_as_the_network_says(
    text: str, encoding: str, characters: int, segments: int
) -> None:
    found = segmented(text)

    assert (found.encoding, found.characters, found.segments) == (encoding, characters, segments)


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("Please pay ₹525.00, not ₹500.00", "Please pay Rs 525.00, not Rs 500.00"),
        ("Please pay 525.00", "Please pay 525.00"),
        ("कृपया ₹525.00", "कृपया ₹525.00"),
        ("It’s ₹525.00", "It’s ₹525.00"),
        ("€ 5 and ₹5", "€ 5 and Rs 5"),
        ("Ravi ₹", "Ravi ₹"),
        ("Ravi ₹: ₹5", "Ravi ₹: ₹5"),
    ],
)
def test_the_sign_of_the_rupee_is_spelt_where_it_alone_makes_a_message_longer(text: str, sent: str) -> None:
    assert thrifty(text) == sent
