"""Bodies and queries about customers, as values that decisions take."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from services.intake.acceptance import Account, Contact, Rules, identities_of
from services.intake.identity import Identity, Scheme
from services.intake.identity.file import Patch, Tier
from services.intake.identity.schemes import SCOPED
from services.intake.schemas.customers import CustomerNew, CustomerPatch
from services.intake.settings import IntakeSettings
from shared.errors import FieldError, Invalid
from shared.runtime import Runtime


def rules_of(runtime: Runtime[IntakeSettings]) -> Rules:
    """What the organisation decided."""
    return Rules(runtime.settings.phone_region, runtime.settings.timezone)


def identities_of_new(body: CustomerNew, rules: Rules) -> tuple[Identity, ...]:
    """What a new customer is known by.

    Raises:
        Invalid: names what cannot be read.
    """
    accounts = tuple(account.account() for account in body.accounts)
    return _read(Contact(None, body.phone, body.email, body.app_user_id, None, None, accounts), rules, lambda pointer: pointer)


def identity_named(scheme: str, scope: str | None, value: str, rules: Rules, pointer: str) -> Identity:
    """One identity; ``pointer`` is where its value stands.

    Raises:
        Invalid: it cannot be read.
    """
    named: Mapping[str, Contact] = {
        Scheme.EMAIL: Contact(email=value),
        Scheme.PHONE: Contact(phone=value),
        Scheme.APP_USER: Contact(app_user_id=value),
    }
    if scheme in named and scope is not None:
        raise Invalid.field("/scope" if pointer == "/value" else pointer, "account", f"{scheme} has no scope")
    contact = named.get(scheme) or Contact(accounts=(Account(scheme, value, scope),))
    (identity,) = _read(contact, rules, lambda _: pointer)
    return identity


def _read(contact: Contact, rules: Rules, pointer: Callable[[str], str]) -> tuple[Identity, ...]:
    wrong: list[FieldError] = []
    found = identities_of(contact, rules, wrong)
    if wrong:
        named = [FieldError(pointer(error.pointer.removeprefix("/customer")), error.code, error.detail) for error in wrong]
        raise Invalid("What the customer is known by cannot be read.", errors=named)
    return found


def identity_asked_for(text: str, rules: Rules) -> Identity:
    """``scheme:value`` or ``scheme:scope:value`` of a query.

    Raises:
        Invalid: it cannot be read.
    """
    scheme, _, rest = text.partition(":")
    if scheme not in set(Scheme) or not rest:
        raise Invalid.field("?identity", "identity", "Should read scheme:value or scheme:scope:value.")
    scope, separator, value = rest.partition(":")
    has_scope = bool(separator) and scheme in SCOPED
    return identity_named(scheme, scope if has_scope else None, value if has_scope else rest, rules, "?identity")


def first_patch(body: CustomerNew) -> Patch:
    """What a new customer's file says beyond what every file says."""
    graded = {} if body.tier is Tier.STANDARD else {"tier": body.tier.value, "tier_reason": body.tier_reason}
    return Patch(graded, body.consents.said())


def patch_of(body: CustomerPatch, rules: Rules) -> Patch:
    """What is to be changed; addresses as they are compared.

    Raises:
        Invalid: a primary address that cannot be read.
    """
    given = {name: getattr(body, name) for name in body.model_fields_set - {"consents", "primary_email", "primary_phone"}}
    fields = {name: value.value if isinstance(value, Tier) or name == "locale" else value for name, value in given.items()}
    for scheme in ("email", "phone"):
        name = f"primary_{scheme}"
        if name in body.model_fields_set:
            text = getattr(body, name)
            fields[name] = None if text is None else identity_named(scheme, None, text, rules, f"/{name}").value
    return Patch(fields, body.consents.said())
