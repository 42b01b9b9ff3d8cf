"""`runner.testing`: what is wrong with a component is told as an assertion."""

from __future__ import annotations

import pytest

from runner.errors import ConfigError
from runner.testing import check_component
from tests.conftest import Site


@pytest.mark.slow
def test_a_component_that_breaks_says_where(site: Site) -> None:
    site.install(
        """
        from runner import architecture

        @architecture
        def broken(outputs: int):
            raise ZeroDivisionError("inside")
        """
    )
    with pytest.raises(AssertionError, match=r"ZeroDivisionError: inside(.|\n)*toys\.py"):
        check_component("architecture", "broken")


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match="there is no kind 'architectur'"):
        check_component("architectur", "mlp")
    with pytest.raises(ConfigError, match="there is no architecture 'mlpp'"):
        check_component("architecture", "mlpp")
