"""Every shipped adapter has exactly the calls that it declares."""

from __future__ import annotations

from importlib import import_module

import pytest

from posctl.model.errors import OtherChannel
from posctl.providers import _ADAPTERS, METHODS, Capability, Provider


def adapter(name: str) -> type[Provider]:
    module = import_module(_ADAPTERS[name])
    found = [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type)
        and issubclass(kind, Provider)
        and kind.__module__ == module.__name__
    ]
    (only,) = [kind for kind in found if getattr(kind, "name", "") == name]
    return only


def own_methods(kind: type[Provider]) -> set[str]:
    listed = {method for methods in METHODS.values() for method in methods}
    return {m for m in listed if getattr(kind, m) is not getattr(Provider, m)}


@pytest.mark.parametrize("name", sorted(_ADAPTERS))
def test_an_adapter_declares_what_it_has(name: str) -> None:
    kind = adapter(name)
    declared = {m for can in kind.capabilities for m in METHODS[can]}
    assert own_methods(kind) == declared


def test_every_capability_has_methods_and_every_call_refuses_by_itself() -> None:
    assert set(METHODS) == set(Capability)
    bare = Provider()
    bare.name = "bare"
    for capability, methods in METHODS.items():
        for method in methods:
            call = getattr(bare, method)
            given = [None] * (call.__code__.co_argcount - 1)
            keywords = dict.fromkeys(
                call.__code__.co_varnames[len(given) + 1 :][
                    : call.__code__.co_kwonlyargcount
                ]
            )
            with pytest.raises(OtherChannel) as caught:
                call(*given, **keywords)
            assert caught.value.code == "provider.cannot"
            assert caught.value.params["capability"] == str(capability)
