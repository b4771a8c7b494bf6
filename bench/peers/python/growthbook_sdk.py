# SPDX-License-Identifier: MIT
"""GrowthBook's SDK: one instance that is given each user in turn, which is cheaper than one
instance a user; no callback."""
import harness
from growthbook import GrowthBook

book = GrowthBook(features={"checkout": {
    "defaultValue": False,
    "rules": [{"force": True, "coverage": 0.25, "hashAttribute": "id"}],
}})


def decide(user, book=book):
    book.set_attributes({"id": user})
    return book.is_on("checkout")


def evaluate(attributes, book=book):
    book.set_attributes(attributes)
    return book.is_on("checkout")


harness.run(harness.version("growthbook"), decide, lambda user: {"id": user}, evaluate)
