"""Differences between Telegram's books and ours, and other news for operators: what is so, what to do.

Pure. The command line prints the same sentences without their marks.
"""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from starbooth.domain.delivery.screen import Screen
from starbooth.domain.models.reports import Reason
from starbooth.domain.payments.differences import Difference, Kind, difference_from
from starbooth.domain.payments.reconcile import Report, xtr_text
from starbooth.domain.users.operators import Alert
from starbooth.doors.bot.models_cards import word_reason
from starbooth.doors.bot.operators_screens import look_button, moment, signed, word_flag
from starbooth.doors.bot.papers_screens import word_message
from starbooth.doors.bot.pieces import stars
from starbooth.doors.bot.words import Words

_MOST_SHOWN = 10
_LONGEST_CHARGE = 200
_OF_NO_CHARGE = (Kind.BALANCE, Kind.LIST_ANEW, Kind.BEFORE_BOOTH)


def word_difference(words: Words, found: Difference) -> tuple[Markup, Markup]:
    """What is so, and what to do about it (empty where nothing is left to do)."""
    facts = found.facts
    match found.kind:
        case Kind.CREDITED_LATE:
            return words.say(
                "A payment of {xtr} XTR by {who} never came as an update. It is credited now: {stars}.",
                xtr=facts["xtr"],
                who=facts["telegram_id"],
                stars=stars(words, facts["stars"]),
            ), Markup()
        case Kind.REFUND_FOUND:
            return words.say(
                "A payment of {xtr} XTR by {who} went back without us. Its stars were taken.",
                xtr=facts["xtr"],
                who=facts["telegram_id"],
            ), Markup()
        case Kind.LIST_ANEW:
            return words.say(
                "Telegram's list is another one than before, so all of it was read again."
            ), words.say("If you did not change the bot, find out why.")
        case Kind.BEFORE_BOOTH:
            return words.say_n(
                "Before the booth was opened, the bot was paid {n} time, {xtr} XTR in all."
                " Nothing of it is credited here.",
                "Before the booth was opened, the bot was paid {n} times, {xtr} XTR in all."
                " Nothing of it is credited here.",
                facts["payments"],
                xtr=facts["xtr"],
            ), Markup()
        case Kind.BALANCE:
            return words.say(
                "Telegram says that the bot has {told} XTR, and its list adds up to {listed} XTR.",
                told=xtr_text(facts["telegram_nanos"]),
                listed=xtr_text(facts["listed_nanos"]),
            ), words.say(
                "Run it again in some minutes. If it stays, compare the list in Telegram with the mirror."
            )
        case Kind.STUCK_REFUND:
            return words.say(
                "A refund asked for by {operator} has not been answered in an hour ({tries} tries): {reason}",
                operator=facts["operator"],
                tries=facts["tries"],
                reason=facts["reason"],
            ), words.say("It goes on by itself. See whether Telegram can be reached.")
        case _:
            return _word_charge(words, found.kind, facts)


def _word_charge(words: Words, kind: Kind, facts: Mapping[str, Any]) -> tuple[Markup, Markup]:
    match kind:
        case Kind.NOT_CREDITED:
            return words.say(
                "Telegram has a payment of {xtr} XTR by {who} that could not be credited: {reason}.",
                xtr=facts["xtr"],
                who=facts["telegram_id"],
                reason=facts["reason"],
            ), words.say("Give the stars by a grant, or refund it in Telegram.")
        case Kind.NOT_TAKEN_BACK:
            return words.say(
                "Telegram gave back {xtr} XTR to {who}, and the stars could not be taken: {reason}.",
                xtr=facts["xtr"],
                who=facts["telegram_id"],
                reason=facts["reason"],
            ), words.say("Look at the guest's account and take the stars by a grant.")
        case Kind.UNKNOWN_PAYMENT:
            return words.say(
                "Credited here, {stars}, but Telegram's list has no such payment.",
                stars=stars(words, facts["stars"]),
            ), words.say("If no other program or bot sold it, the ledger was written by somebody else.")
        case Kind.UNKNOWN_REFUND:
            return words.say(
                "Given back here, {stars}, but Telegram's list has no such refund.",
                stars=stars(words, facts["stars"]),
            ), words.say("Ask the guest whether the money came, and refund it in Telegram if not.")
        case Kind.OTHER_AMOUNT:
            return words.say(
                "Booked as {xtr} XTR, and Telegram's list says {listed} XTR.",
                xtr=facts["xtr"],
                listed=facts["listed_xtr"],
            ), words.say("Find out which is true, and put the stars right by a grant.")
        case _:
            return words.say(
                "Booked for {who}, and Telegram's list says that {listed} paid.",
                who=str(facts["telegram_id"]),
                listed=str(facts["listed_telegram_id"]),
            ), words.say("Find out which is true, and put the stars right by a grant.")


def render_report(words: Words, report: Report) -> Screen:
    """A reconciliation in short."""
    lines = [
        _head(words, report),
        words.say("{at}, rows read: {rows}.", at=moment(words, report.at), rows=report.rows_read),
        _balance_line(words, report),
        *(_difference_line(words, each) for each in report.differences[:_MOST_SHOWN]),
    ]
    if len(report.differences) > _MOST_SHOWN:
        rest = len(report.differences) - _MOST_SHOWN
        lines.append(
            words.say_n(
                "And {n} more: see starbooth reconcile.", "And {n} more: see starbooth reconcile.", rest
            )
        )
    return _screen(*lines)


def _head(words: Words, report: Report) -> Markup:
    if not report.is_clean:
        return words.say("⚠️ Telegram's books and ours differ.")
    if not report.is_complete:
        return words.say("⏳ Telegram's list is long and not read to its end yet. /reconcile reads on.")
    return words.say("✅ Telegram's books and ours agree.")


def _balance_line(words: Words, report: Report) -> Markup:
    if report.balance is None:
        return words.say("The balance was not compared: the list did not come to rest.")
    return words.say("The bot has {xtr} XTR.", xtr=xtr_text(report.balance.telegram_nanos))


def _difference_line(words: Words, found: Difference) -> Markup:
    what, advice = word_difference(words, found)
    mark = "✔️" if found.is_mended else "⚠️"
    charge = Markup() if found.kind in _OF_NO_CHARGE else _charge(found.subject)
    return Markup("\n").join(part for part in (Markup("{} {}").format(mark, what), charge, advice) if part)


def charge_in(alert: Alert) -> str:
    """The charge that the news is about; empty where there is none."""
    return str(alert.facts.get("subject" if alert.kind == "difference" else "charge") or "")


def render_alert(words: Words, alert: Alert, *, row_id: str | None) -> Screen:
    """News for an operator. row_id: the ledger row of the payment that it is about, for a button."""
    facts = alert.facts
    if alert.kind == "difference":
        screen = _screen(_difference_line(words, difference_from(facts)))
    else:
        screen = _screen(_word_alert(words, alert), _charge(charge_in(alert)))
    return screen if row_id is None else Screen(html=screen.html, rows=((look_button(words, row_id),),))


def _word_alert(words: Words, alert: Alert) -> Markup:
    facts = alert.facts
    match alert.kind:
        case "payment_returned":
            return words.say(
                "💸 A payment of {xtr} XTR by {who} went back without us. Their balance is {balance} now.",
                xtr=facts["xtr"],
                who=str(facts["telegram_id"]),
                balance=signed(words, facts["balance_stars"]),
            )
        case "refund_refused":
            return words.say(
                "❌ Telegram refused the refund for {who}: {reason}. The stars are back with the guest.",
                who=str(facts["telegram_id"]),
                reason=facts["reason"],
            )
        case "refund_stuck":
            return words.say(
                "⏱ The refund for {who} has not been answered yet: {reason}. I keep asking.",
                who=str(facts["telegram_id"]),
                reason=facts["reason"],
            )
        case "payment_flagged":
            return Markup("\n").join(
                [
                    words.say(
                        "A payment of {xtr} XTR by {who} was credited, {stars}.",
                        xtr=facts["xtr"],
                        who=str(facts["telegram_id"]),
                        stars=stars(words, facts["stars"]),
                    ),
                    word_flag(words, str(facts["flag"])),
                ]
            )
        case "prompt_check_away" if facts["when_away"] == "refuse":
            return words.say(
                "🛡 The prompt checker does not answer ({reason}). Prompts are refused until it does.",
                reason=facts["reason"],
            )
        case "prompt_check_away":
            return words.say(
                "🛡 The prompt checker does not answer ({reason}). Prompts pass without it until it does; the"
                " word list still holds.",
                reason=facts["reason"],
            )
        case "model_reported":
            return words.say(
                "⚠️ A guest reported the model {name}: {reason}. /reports shows what waits.",
                name=facts["name"],
                reason=word_reason(words, Reason(str(facts["reason"]))),
            )
        case "support":
            return word_message(
                words,
                who=f"@{facts['username']}" if facts["username"] else str(facts["telegram_id"]),
                text=facts["text"],
                charges="\n".join(facts["charges"]),
                reference=facts["reference"],
            )
        case _:
            return _word_trouble(words, alert)


def _word_trouble(words: Words, alert: Alert) -> Markup:
    """What could not be done by itself; and news of a kind that this release does not know, as it stands."""
    facts = alert.facts
    match alert.kind:
        case "payment_stuck" if facts["xtr"] is None:
            return words.say(
                "❗ What Telegram told about the plan of {who} cannot be written down. It is tried for a day:"
                " look with starbooth doctor.",
                who=str(facts["telegram_id"]),
            )
        case "payment_stuck":
            return words.say(
                "❗ What Telegram told about {xtr} XTR of {who} cannot be written down. It is tried for a"
                " day: look with starbooth doctor.",
                xtr=str(facts["xtr"]),
                who=str(facts["telegram_id"]),
            )
        case "payment_not_credited":
            return words.say(
                "❗ A payment of {amount} {currency} by {who} could not be credited: {reason}.",
                amount=facts["amount"],
                currency=facts["currency"],
                who=str(facts["telegram_id"]),
                reason=facts["reason"],
            )
        case _:
            told = ", ".join(f"{name}: {value}" for name, value in facts.items())
            return Markup("<b>{}</b> {}").format(alert.kind, told[:1000])


def _charge(charge_id: str) -> Markup:
    return Markup("<code>{}</code>").format(charge_id[:_LONGEST_CHARGE]) if charge_id else Markup()


def _screen(*paragraphs: Markup) -> Screen:
    return Screen(html=str(Markup("\n\n").join(part for part in paragraphs if part)))
