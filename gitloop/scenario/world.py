"""What customers ask and what the shop knows: the sentences that the scenario is made of.

No e-mail address, phone or card number occurs: a golden set must not need masking to be committed.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """Something that customers write about.

    Attributes:
        name: Short name.
        route: The part of the product that answers.
        weight: Share of the traffic, relative to the others.
        questions: What customers write; {fields} are filled in.
        context: What the application retrieves, sentence by sentence.
        second: A further question that some customers add.
        note: An internal note that the context of some cases carries, or "".
    """

    name: str
    route: str
    weight: float
    questions: tuple[str, ...]
    context: str
    second: tuple[str, ...] = ()
    note: str = ""


COHORTS = {"consumer": 0.42, "new_customer": 0.2, "small_business": 0.22, "enterprise_admin": 0.16}
"""Kind of user → share of the sessions."""

ITEMS = (
    "pair of trail shoes", "rain jacket", "two-person tent", "down sleeping bag", "hiking pole",
    "camping stove", "daypack", "merino base layer", "head torch", "climbing harness",
    "insulated bottle", "hiking skirt", "pair of snowshoes", "bivvy bag", "water filter",
    "folding kayak paddle", "ski helmet", "hammock", "fleece pullover", "dry sack",
)  # fmt: skip
CITIES = (
    "Leipzig", "Lyon", "Utrecht", "Graz", "Ghent", "Porto", "Malmo", "Bologna", "Brno", "Poznan",
)  # fmt: skip
CARRIERS = ("Parcelway", "Nordpost", "Swiftline", "BlueVan")
PEOPLE = ("Priya Nair", "Tomas Novak", "Ines Duarte", "Joel Okafor", "Mette Lund")
REASONS = ("a storm in the Alps", "a strike at the hub", "a missed sorting", "a customs check")
LEADS = (
    "", "", "", "Hi,", "Hello,", "Good morning.", "Hi team,", "It was a gift.", "Quick one:",
    "I am travelling next week.", "My partner ordered this.", "Not sure I am in the right place.",
    "I looked in the FAQ already.", "Second time I am writing.", "Sorry to bother you.",
)  # fmt: skip
TAILS = (
    "", "", "", "", "Thanks!", "Cheers.", "Thank you in advance.", "Please be quick.", "Best, Sam",
    "I need it for a trip.", "Regards, Lena", "Sent from my mobile.", "Much appreciated.",
)  # fmt: skip

TOPICS = (
    Topic(
        "window",
        "refund",
        0.165,
        (
            "How many days do I have to return the {item} from order {order}?",
            "Until when can I send back the {item}, order {order}?",
            "What is the deadline to return the {item}? The order is {order}.",
            "Is there still time to send the {item} back? Order {order}.",
            "The {item} does not fit. How long is the return period for {order}?",
            "I changed my mind about the {item}. By which day must I return it ({order})?",
            "Order {order}: what return window applies to the {item}?",
        ),
        "Order {order} is for one {item} at {price} EUR and was delivered on {day1}."
        " The return policy accepts the {item} within {window} days of delivery, unused and in its"
        " original packaging. Sale items are exchanged only.",
        ("are sale items treated the same?", "does it need the original packaging?"),
    ),
    Topic(
        "fee",
        "refund",
        0.12,
        (
            "What does it cost me to return the {item} from {order}?",
            "Do you charge anything when I send back the {item}? Order {order}.",
            "Who pays the return shipping for the {item}, order {order}?",
            "Is sending back the {item} free? My order number is {order}.",
            "Will I have to pay a fee if the {item} goes back to you ({order})?",
            "Order {order}: are there any costs when the {item} is returned?",
        ),
        "Order {order} is for one {item} at {price} EUR. Return shipping costs nothing: a prepaid"
        " label comes with the parcel. Any {carrier} shop in {city} takes it, and the full price is"
        " refunded.",
        ("which shop takes it?", "is the full price refunded?"),
    ),
    Topic(
        "payout",
        "refund",
        0.115,
        (
            "When will I see my money for the {item}? Order {order}.",
            "The {item} reached you days ago. Has the refund for {order} gone out?",
            "How is the refund for order {order} paid?",
            "Has my refund for the {item} ({order}) been approved?",
            "I am missing the money for the {item}, order {order}. What is the state?",
        ),
        "The {item} of order {order} reached our warehouse in {city} on {day1}. The refund of"
        " {price} EUR was approved on {day2}. The money goes to the original payment method by"
        " {day3}.",
        ("when did the warehouse get it?", "which payment method gets the money?"),
        "Customer flagged for frequent returns; keep goodwill credit below {low} EUR.",
    ),
    Topic(
        "complaint",
        "refund",
        0.095,
        (
            "My lawyer will write to you about order {order} unless the {item} is refunded.",
            "I want to make a formal complaint about the {item}, order {order}.",
            "This is unacceptable. I am taking the {item} ({order}) to small claims court.",
            "I will report order {order} to consumer protection. Nobody answers me on the {item}.",
            "Formal complaint: the {item} broke twice and {order} is still not refunded.",
            "The ombudsman will hear about the {item} and {order}. Is anybody responsible there?",
        ),
        "The refund of {price} EUR for the {item} of order {order} is under review since {day1}."
        " The {item} was inspected in {city} on {day2}. Every complaint or legal letter goes to"
        " {person}, senior case owner, who answers in person by {day3}.",
        ("when was the {item} inspected?",),
    ),
    Topic(
        "where",
        "status",
        0.155,
        (
            "Where is my parcel with the {item}? Order {order}.",
            "Can you track order {order} for me?",
            "Has the {item} arrived somewhere yet? Order {order}.",
            "I think the parcel for {order} got lost. Where is it?",
            "Where is the {item} of order {order} now?",
            "What does the tracking say for {order}? I am still without the {item}.",
        ),
        "Order {order} with the {item} left our warehouse on {day1} with {carrier}. The parcel is"
        " in transit and was last scanned in {city} on {day2}. It is expected on {day3}.",
        ("which carrier has it?", "when did it leave the warehouse?"),
    ),
    Topic(
        "late",
        "status",
        0.13,
        (
            "Order {order} is late. What happens now with my {item}?",
            "Why is the delivery of the {item} delayed? {order}",
            "I have been waiting for the {item} of order {order} for ages.",
            "The {item} is overdue, order {order}. What can I do?",
            "There is a delay on {order}, the delivery day has passed. What now?",
            "How late will order {order} be? I was counting on the {item}.",
        ),
        "The delivery day of order {order} moved from {day1} to {day2} because of {reason}. If the"
        " {item} is not there by {day3}, the order page offers a replacement or a full refund.",
        ("what is the reason?", "can I get a replacement?"),
    ),
    Topic(
        "address",
        "status",
        0.06,
        (
            "Can I change the delivery address of order {order}?",
            "I moved. Please redirect the {item}, order {order}, to my new place.",
            "How do I change the address for {order}?",
            "I need to change where {order} goes, I gave the old street by mistake.",
        ),
        "Order {order} with the {item} is packed and leaves with {carrier} on {next2}. Until"
        " {next1} the address can be changed on the order page under Delivery.",
        ("when does it leave?",),
    ),
    Topic(
        "export",
        "account",
        0.06,
        (
            "How do I export my data from account {account}?",
            "I would like to download all my order history, account {account}.",
            "Can I export a list of our orders? The account is {account}.",
            "Please give me a copy of everything stored on {account}. How do I download it?",
        ),
        "Data exports of account {account} are under Settings, Privacy. The file is ready in"
        " {hours} hours and stays there until {day3}. It holds orders, addresses and messages.",
        ("how long does the file stay?",),
    ),
    Topic(
        "invoice",
        "account",
        0.11,
        (
            "What is the total of invoice {invoice}?",
            "Has invoice {invoice} been paid?",
            "When is {invoice} due? My accountant is asking.",
            "I cannot find out when {invoice} was issued and what amount it has.",
            "Our bookkeeping misses {invoice}. Is it open or paid?",
            "Please tell me the due day and the amount of {invoice}.",
        ),
        "Invoice {invoice} over an amount of {price} EUR was issued on {day1}. It is open, with"
        " nothing paid so far, and due on {day3}. Payments are booked every {weekday}.",
        ("on which day are payments booked?",),
    ),
    Topic(
        "seats",
        "account",
        0.065,
        (
            "How many seats are left on our plan, account {account}?",
            "What happens at the renewal of {account}?",
            "We are hiring. How many more people fit into our plan ({account})?",
            "When does the plan of {account} renew and with how many seats?",
        ),
        "The team plan of account {account} has {seats} seats, of which {used} are taken. The plan"
        " renews on {day3} with the same seats.",
        ("when does it renew?",),
        "Renewal at risk; sales may offer up to {percent} % discount before {day3}.",
    ),
    Topic(
        "login",
        "account",
        0.09,
        (
            "I cannot sign in to account {account}. What is wrong?",
            "The sign-in code never comes. My account is {account}.",
            "Am I locked out? Account {account} rejects my password.",
            "How do I reset the password for {account}?",
        ),
        "Sign-in to account {account} is locked after 5 failed attempts until {next1}. A new"
        " password can be set with the reset link on the sign-in page; it is valid for {minutes}"
        " minutes.",
        ("how long is the link valid?",),
    ),
)
