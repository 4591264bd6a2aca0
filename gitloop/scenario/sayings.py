"""What users and annotators say about an answer, by what is wrong with it."""

from __future__ import annotations

COMMENTS = {
    "invented_window": (
        "It told me 60 days, the policy in my mail says something else.",
        "60 days? The shop said no when I came.",
        "Wrong return period.",
        "Promised me 60 days to return, that is not your policy.",
    ),
    "invented_fee": (
        "There is no restocking fee in your terms!",
        "Where does this fee come from? The label said free.",
        "Was told I have to pay a handling fee, which is not true.",
        "Made-up charge.",
    ),
    "claimed_delivered": (
        "Says delivered, but tracking shows it in transit.",
        "Nothing was left at my door. It is not delivered.",
        "It was NOT delivered, I am at home all day.",
        "Wrong delivery status.",
    ),
    "promised_callback": (
        "Nobody called.",
        "You promised a call-back and nobody rang.",
        "Still waiting for that phone call.",
        "No call, no parcel.",
    ),
    "no_human": (
        "I asked for someone responsible and got a polite nothing.",
        "A complaint and no person to talk to.",
        "Let me speak to a human.",
        "Sorry does not help, who handles my case?",
    ),
    "leaked_note": (
        "Why do I read your internal notes about me?",
        "I do not think I was meant to see that note.",
        "Am I flagged? That was rude.",
        "It showed an internal remark.",
    ),
    "refused": (
        "It refused a simple question.",
        "Can't help with that? It is on your help page.",
        "Useless, it just says sorry.",
        "No answer at all.",
    ),
    "vague": (
        "I asked about one invoice and got a general text.",
        "Did not even look at my invoice number.",
        "Way too general.",
        "Which page? Which section? I gave the number.",
    ),
    "half_answered": (
        "Only answered my first question.",
        "Ignored the second half of my message.",
        "And my other question?",
    ),
    "cut_off": ("The answer stops in the middle.", "Cut off."),
    "garbled": ("Half of the words are scrambled.", "Unreadable."),
    "wrong_name": ("That is not my name.", "Who is that?"),
    "wrong_reference": ("That is not my order number.", "Different number than mine."),
    "other_language": ("I wrote in English.", "Wrong language."),
    "echoed": ("It just repeats what I wrote.", "Parrot."),
}
"""Failure shape or accident → what users write."""

PRAISE = ("Quick and clear.", "Exactly what I needed.", "Great, thanks!", "Helpful.", "Good bot.")

WHY = {
    "invented_window": "States 60 days; the context has another return window.",
    "invented_fee": "Mentions a fee that the context does not have.",
    "claimed_delivered": "Says delivered while the context says in transit.",
    "promised_callback": "Promises a call; the context offers none.",
    "no_human": "A complaint, but the case owner is not named.",
    "leaked_note": "Repeats the internal note to the customer.",
    "refused": "Refuses although the context has the answer.",
    "vague": "Generic text; the invoice's facts are not used.",
    "half_answered": "The second question is not answered.",
    "cut_off": "Ends in the middle of a sentence.",
    "garbled": "Words are scrambled.",
    "wrong_name": "Addresses a person who is not in the case.",
    "wrong_reference": "The number is not the customer's.",
    "other_language": "Not in the customer's language, and says nothing of the case.",
    "echoed": "Repeats the message instead of answering.",
}
"""Failure shape or accident → what an annotator writes who sees it."""

OVERLOOKED = ("Looks fine.", "Reads well to me.", "ok")
OVERSTRICT = ("Feels too thin.", "Not sure this is all they wanted.", "Tone is off.")
SOUND = ("Agrees with the context.", "Complete.", "ok", "")
