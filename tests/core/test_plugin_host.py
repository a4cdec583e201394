"""Plugins are found without being imported, loaded when chosen, and fail with what mends them."""

import sys

import pytest
from tests.core.conftest import InstallPlugin

from longline.errors import (
    DuplicateNameError,
    PluginBrokenError,
    PluginHookError,
    PluginMissingExtraError,
    SettingsError,
    UnknownPluginError,
)
from longline.plugin_host import PluginHost, installed_plugins

HOOK = "from longline import hookimpl\n\n@hookimpl\n"
EMPTY = '"""A plugin that offers nothing."""'


def test_an_installed_plugin_is_found_with_its_distribution_and_not_imported(install_plugin: InstallPlugin) -> None:
    module = install_plugin("fish", "raise RuntimeError", distribution="longline-fish", version="4.5")
    found = installed_plugins()["fish"]
    assert (found.name, found.module, found.distribution, found.version) == ("fish", module, "longline-fish", "4.5")
    assert module not in sys.modules


def test_a_plugin_that_is_not_chosen_is_never_imported(install_plugin: InstallPlugin) -> None:
    module = install_plugin("fish", "raise RuntimeError")
    assert PluginHost([]).names == ()
    assert module not in sys.modules


def test_a_chosen_plugin_is_imported_once_whatever_the_order_and_doubles(install_plugin: InstallPlugin) -> None:
    for name in ("b", "a"):
        install_plugin(name, EMPTY)
    assert PluginHost(["b", "a", "b"]).names == ("a", "b")
    assert {"longline_example_a", "longline_example_b"} <= set(sys.modules)


def test_hosts_share_nothing(install_plugin: InstallPlugin) -> None:
    install_plugin(
        "fish", "from longline import hookimpl\n@hookimpl\ndef describe_server():\n    return {'fish': {}}\n"
    )
    chosen, other = PluginHost(["fish"]), PluginHost([])
    assert chosen.describe(None) == {"fish": {}}
    assert other.describe(None) == {}


def test_a_plugin_that_is_not_installed_is_named_with_those_that_are(install_plugin: InstallPlugin) -> None:
    install_plugin("fish", EMPTY)
    with pytest.raises(UnknownPluginError, match=r"no plugin 'fisch' is installed; installed: .*fish"):
        PluginHost(["fisch"])


def test_two_distributions_with_one_plugin_name_are_both_named(install_plugin: InstallPlugin) -> None:
    install_plugin("fish", EMPTY, module="fish_one", distribution="one-fish")
    install_plugin("fish", EMPTY, module="fish_two", distribution="two-fish")
    with pytest.raises(DuplicateNameError, match=r"one-fish.*two-fish|two-fish.*one-fish"):
        installed_plugins()


def test_one_plugin_that_is_found_twice_is_one_plugin(install_plugin: InstallPlugin) -> None:
    install_plugin("fish", EMPTY, module="fish_one", distribution="one-fish", version="1")
    sys.path.insert(0, sys.path[0])
    try:
        assert installed_plugins()["fish"].module == "fish_one"
    finally:
        sys.path.pop(0)


@pytest.mark.parametrize("name", ["defaults", "twin"])
def test_a_plugin_that_takes_the_place_of_another_is_refused(install_plugin: InstallPlugin, name: str) -> None:
    install_plugin("fish", EMPTY, module="fish_one", distribution="one-fish")
    install_plugin(name, EMPTY, module="fish_two", distribution="two-fish")
    if name == "twin":  # two names for one module
        sys.modules["fish_two"] = __import__("fish_one")
    with pytest.raises(PluginHookError, match=name):
        PluginHost(["fish", name])
    sys.modules.pop("fish_two", None)


def test_a_missing_package_fails_with_the_line_that_mends_it(install_plugin: InstallPlugin) -> None:
    install_plugin(
        "fish", "import no_such_driver.sub", module="longline_fish", distribution="longline-test", extras=["fish"]
    )
    with pytest.raises(PluginMissingExtraError) as caught:
        PluginHost(["fish"])
    assert str(caught.value) == (
        "plugin 'fish' needs the module 'no_such_driver', which is missing; run: pip install 'longline-test[fish]'"
    )


def test_a_third_party_is_mended_by_its_own_distribution(install_plugin: InstallPlugin) -> None:
    install_plugin("fish", "import no_such_driver", distribution="acme-fish")
    with pytest.raises(PluginMissingExtraError, match=r"run: pip install 'acme-fish'"):
        PluginHost(["fish"])
    install_plugin("bird", "import no_such_driver", distribution="acme-bird", extras=["bird"])
    with pytest.raises(PluginMissingExtraError, match=r"run: pip install 'acme-bird\[bird\]'"):
        PluginHost(["bird"])


@pytest.mark.parametrize(
    ("source", "cause", "line"),
    [
        ("x = 1\nraise ValueError('boom')\n", "ValueError: boom", 2),
        ("def f(:\n", "SyntaxError: ", 1),
        ("\n\nfrom longline import no_such_name\n", "ImportError: cannot import name 'no_such_name'", 3),
        ("\nimport longline.no_such_module\n", "ModuleNotFoundError: No module named 'longline.no_such_module'", 2),
        ("import longline_example_fish.no_such_part\n", "ModuleNotFoundError: ", 1),
        ("1 / 0\n", "ZeroDivisionError: division by zero", 1),
        ("import sys\nsys.exit('not today')\n", "SystemExit: not today", 2),
    ],
)
def test_a_plugin_that_does_not_import_fails_with_file_line_and_cause(
    install_plugin: InstallPlugin, source: str, cause: str, line: int
) -> None:
    install_plugin("fish", source)
    with pytest.raises(PluginBrokenError) as caught:
        PluginHost(["fish"])
    assert caught.value.plugin == "fish"
    assert f"longline_example_fish/__init__.py, line {line}" in str(caught.value)
    assert cause in str(caught.value)


def test_a_fault_in_another_module_of_the_plugin_is_found_there(install_plugin: InstallPlugin) -> None:
    install_plugin("fish", "from longline_example_fish import fin", files={"fin.py": "\n\nraise KeyError('x')"})
    with pytest.raises(PluginBrokenError, match=r"longline_example_fish/fin\.py, line 3"):
        PluginHost(["fish"])


def test_a_plugin_whose_module_is_gone_says_so(install_plugin: InstallPlugin, tmp_path) -> None:
    module = install_plugin("fish", EMPTY)
    (tmp_path / "site-packages" / module / "__init__.py").unlink()
    (tmp_path / "site-packages" / module).rmdir()
    with pytest.raises(PluginBrokenError, match=f"No module named '{module}'"):
        PluginHost(["fish"])


def test_a_misspelt_hook_is_an_error_and_not_silence(install_plugin: InstallPlugin) -> None:
    install_plugin("fish", HOOK + "def register_tool(settings):\n    return []\n")
    with pytest.raises(PluginHookError, match=r"register_tool.*fish|fish.*register_tool"):
        PluginHost(["fish"])


def test_an_argument_that_a_hook_does_not_have_is_an_error(install_plugin: InstallPlugin) -> None:
    install_plugin("fish", HOOK + "def register_tools(seetings):\n    return []\n")
    with pytest.raises(PluginHookError, match="seetings"):
        PluginHost(["fish"])


def test_a_wrapper_round_a_hook_is_refused(install_plugin: InstallPlugin) -> None:
    source = "from longline import hookimpl\n\n@hookimpl(wrapper=True)\ndef register_tools():\n    return (yield)\n"
    install_plugin("fish", source)
    with pytest.raises(PluginHookError, match=r"fish.*register_tools"):
        PluginHost(["fish"])


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ("    return 1 / 0\n", r"ZeroDivisionError: division by zero \(.*__init__\.py, line 5\)"),
        ("    return None\n", "expected a sequence, got NoneType"),
        ("    return 5\n", "expected a sequence, got int"),
        ("    pass\n", "expected a sequence, got NoneType"),
    ],
)
def test_a_hook_that_fails_names_its_plugin_and_itself(install_plugin: InstallPlugin, body: str, cause: str) -> None:
    install_plugin("fish", HOOK + f"def register_tools(settings):\n{body}")
    with pytest.raises(PluginHookError, match=f"plugin 'fish' failed in register_tools: {cause}"):
        PluginHost(["fish"]).tools(None)


def test_what_a_hook_says_in_the_words_of_the_house_is_passed_on(install_plugin: InstallPlugin) -> None:
    source = "from longline.errors import SettingsError\n" + HOOK
    install_plugin("fish", source + "def register_tools():\n    raise SettingsError(['fish.bait: none left'])\n")
    with pytest.raises(SettingsError, match=r"fish\.bait: none left"):
        PluginHost(["fish"]).tools(None)
