"""The headers of a page: how many there are in all, and where the next page begins."""

from typing import TypeVar

from longline.models.pages import Page

T = TypeVar("T")


def pagination_headers(page: Page[T], offset: int) -> dict[str, str]:
    """The true total, and the offset of the next page if there is one."""
    headers = {"x-pagination-total": str(page.total)}
    after = offset + len(page.items)
    if page.items and after < page.total:
        headers["x-pagination-next"] = str(after)
    return headers
