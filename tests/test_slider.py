"""A figure with a slider, in a browser and where there is none."""

import re
import shutil

import matplotlib.pyplot as plt
import pytest

from gmps_lite.slider import slider

LABELS = ["before", "after 1 step", 'after "2" steps']
WORDS = ["far", "nearer", "<there>"]


def make(**changes):
    figures = [plt.figure(figsize=(2, 1)) for _ in LABELS]
    return slider(figures, LABELS, **{"words": WORDS, "first": 1,
                                      "name": "steps"} | changes)


def test_each_picture_has_words_and_one_is_shown():
    before = plt.get_fignums()
    html = make(caption="a & b").data
    images = re.findall("<img[^>]*>", html)
    assert len(images) == 3 and plt.get_fignums() == before
    assert [" hidden" in image for image in images] == [True, False, True]
    assert 'alt="nearer"' in images[1] and 'alt="&lt;there&gt;"' in images[2]
    assert "a &amp; b" in html and "http" not in html
    assert "max-width:200px" in images[0]


def test_numbers_that_differ_are_refused():
    with pytest.raises(ValueError, match="3 figures, 3 labels, 2 texts"):
        make(words=WORDS[:2])
    with pytest.raises(ValueError, match="the first at 3"):
        make(first=3)


def test_a_reader_turns_it():
    browser = shutil.which("chromium")
    if not browser:
        pytest.skip("chromium is not installed: apt-get install chromium")
    sync = pytest.importorskip("playwright.sync_api")
    with sync.sync_playwright() as p:
        page = p.chromium.launch(executable_path=browser,
                                 args=["--no-sandbox"]).new_page()
        page.set_content(make().data + make().data)  # two do not disturb
        shown = page.locator("img:visible")
        knob = page.locator("input").first
        assert page.get_by_label("steps").count() == 2
        knob.focus()
        for key, alt, said in (("ArrowRight", WORDS[2], LABELS[2]),
                               ("Home", WORDS[0], LABELS[0])):
            page.keyboard.press(key)
            assert shown.count() == 2
            assert shown.first.get_attribute("alt") == alt
            assert page.locator("output").first.inner_text() == said
            assert knob.get_attribute("aria-valuetext") == said
        assert shown.last.get_attribute("alt") == WORDS[1]
