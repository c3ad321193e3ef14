"""The firm's caps over several accounts, where each bot runs for itself: fixed shares that add up to the cap at most.

No bot asks another: whatever the others do, all limits within their shares are within the firm's cap.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Final

from msgspec import structs

from holdfast.config.caps import number
from holdfast.config.errors import ConfigError
from holdfast.config.schema import AccountLimitsSection, Config, FirmNumbers
from holdfast.config.toml import NAME, Document, owner_only, read_text, shown

KEYS: Final = tuple(one.name for one in structs.fields(FirmNumbers))


def read_share(path: Path, *, account: str, settle_asset: str) -> FirmNumbers:
    """This account's share in the firm's file, the whole of which was proven.

    Errors: ConfigError for a file that is missing or that others may write, for keys that are missing or unknown,
    for shares that add up to more than the firm's cap or count another asset, and where this account has none.
    """
    document = Document(read_text(path), where=shown(path))
    owner_only(path, secret=False)
    document.allow(document.root, (), known=("firm", "account"))
    firm = document.convert(document.table(("firm",)), FirmNumbers, ("firm",))
    shares: dict[str, FirmNumbers] = {}
    for name, raw in document.named_tables(("account",), pattern=NAME, required=True).items():
        share = document.convert(raw, FirmNumbers, ("account", name))
        if share is not None:
            shares[name] = share
    document.finish()
    if firm is None:
        raise ConfigError(f"{path}: [firm] cannot be read")
    for key in KEYS:
        cap = getattr(firm, key)
        total = sum((number(getattr(share, key)) for share in shares.values()), Decimal(0))
        if total > number(cap):
            names = ", ".join(sorted(shares))
            document.problem(
                ("firm", key), f"the shares of {names} add up to {total}, more than the cap, {cap}"
            )
    for owner, one in (("firm", firm), *((f"account.{name}", share) for name, share in shares.items())):
        unit = one.gross_notional_max.unit
        if unit and unit != settle_asset:
            key_path = (*owner.split("."), "gross_notional_max")
            document.problem(key_path, f"expected an amount of {settle_asset}, got {one.gross_notional_max}")
    if account not in shares:
        document.problem(("account", account), f"missing: expected the share of account {account}")
    document.finish()
    return shares[account]


def over_share(config: Config, share: FirmNumbers, document: Document) -> None:
    """Note in the configuration's document every limit that is more than this account's share of the firm's cap."""
    for key in KEYS:
        limit, most = getattr(config.limits.account, key), getattr(share, key)
        if number(limit) > number(most):
            document.problem(
                ("limits", "account", key),
                f"expected at most this account's share ({most} in {config.paths.firm_file}), got {limit}",
            )


def within_share(caps: AccountLimitsSection, share: FirmNumbers) -> AccountLimitsSection:
    """The account's hard caps, or its share where that is less: no command passes either."""
    least = {key: min(getattr(caps, key), getattr(share, key), key=number) for key in KEYS}
    return structs.replace(caps, **least)
