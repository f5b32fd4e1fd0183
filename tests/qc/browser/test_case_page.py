"""The page of a case in a real browser: its sliders and switches."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow


def test_slider_moves_the_picture(page, folder):
    """By keyboard and by pointer the slider changes the pixels, from all warped to all fixed."""
    page.goto((folder / "cases/0 #%25 å/qc.html").as_uri())
    compare = page.locator(".compare").first
    slider, stage = compare.locator("input[type=range]"), compare.locator(".canvas")
    middle = stage.screenshot()
    slider.focus()
    page.keyboard.press("Home")
    warped = stage.screenshot()
    clip = compare.locator(".warped").evaluate("one => getComputedStyle(one).clipPath")
    assert clip in ("inset(0px)", "inset(0px 0px 0px 0%)", "inset(0px 0px 0px calc(0%))")
    assert slider.get_attribute("aria-valuetext") == "100 % warped"
    page.keyboard.press("End")
    fixed = stage.screenshot()
    assert len({warped, middle, fixed}) == 3
    box = stage.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.25, box["y"] + box["height"] / 2)
    assert abs(int(slider.input_value()) - 25) <= 1


def test_fading_flipping_and_the_fixed_scan(page, folder):
    """Fade, flip, the other picture, outlines, landmarks and marks each change the picture."""
    page.goto((folder / "cases/0 #%25 å/qc.html").as_uri())
    stage = page.locator(".compare .canvas").first
    seen = [stage.screenshot()]
    page.locator("select.mode").select_option("fade")
    seen.append(stage.screenshot())
    page.locator(".flip").click()
    assert page.locator(".qc-slider").first.input_value() == "100"
    seen.append(stage.screenshot())
    page.locator(".flip").click()
    page.locator("select.base").select_option("aligned")
    seen.append(stage.screenshot())
    page.locator(".outlines").uncheck()
    seen.append(stage.screenshot())
    page.locator("input.landmarks").uncheck()
    seen.append(stage.screenshot())
    page.locator("input.marks").check()
    seen.append(stage.screenshot())
    assert len(set(seen)) == len(seen)


def test_sliders_move_together_or_alone(page, folder):
    """Together all three views move; otherwise only the one touched."""
    page.goto((folder / "cases/0 #%25 å/qc.html").as_uri())
    sliders = page.locator(".qc-slider")
    sliders.nth(1).fill("80")
    assert [sliders.nth(k).input_value() for k in range(3)] == ["80"] * 3
    page.locator(".together").uncheck()
    sliders.nth(1).fill("10")
    assert [sliders.nth(k).input_value() for k in range(3)] == ["80", "10", "80"]


def test_sides_are_named_where_they_are(page, folder):
    """Left of the line stands the name of the left picture; the line is where the slider is."""
    page.goto((folder / "cases/0 #%25 å/qc.html").as_uri())
    compare = page.locator(".compare").first
    compare.locator(".qc-slider").fill("40")
    stage, line = (compare.locator(one).bounding_box() for one in (".canvas", ".divider"))
    assert abs(line["x"] + 1 - stage["x"] - 0.4 * stage["width"]) < 2
    for base, name in (("fixed", "fixed"), ("aligned", "before")):
        page.locator("select.base").select_option(base)
        left = compare.locator(f".base-{base} .tag")
        right = compare.locator(".warped .tag")
        assert (left.inner_text(), right.inner_text()) == (name, "warped")
        assert left.bounding_box()["x"] < line["x"] < right.bounding_box()["x"]
    page.locator("select.mode").select_option("fade")
    ends = compare.locator(".slide span:visible").all_inner_texts()
    assert ends == ["before", "warped"]
    compare.locator(".qc-slider").fill("100")
    assert compare.locator(".warped").evaluate("one => getComputedStyle(one).opacity") == "1"


def test_sentences_come_by_pointer_keyboard_and_touch(page, folder):
    """A term says its sentence while pointed at, focused or tapped, within the window."""
    page.set_viewport_size({"width": 400, "height": 800})
    page.goto((folder / "cases/0 #%25 å/qc.html").as_uri())
    term, says = page.get_by_role("button", name="Outside the moving scan"), page.locator("#says")
    assert says.is_hidden()
    term.hover()
    assert says.inner_text().startswith("Share of all voxels of the fixed scan")
    box = says.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 400
    page.mouse.move(1, 1)
    assert says.is_hidden()
    term.focus()
    assert says.is_visible()
    assert term.get_attribute("aria-describedby") == "says"
    page.keyboard.press("Escape")
    assert says.is_hidden()
    term.dispatch_event("click")
    assert says.is_visible()
    page.locator("h1").dispatch_event("click")
    assert says.is_hidden()


def test_the_way_back(page, folder):
    """Who comes from the report sees the link back to it; a page opened by itself shows none."""
    page.goto((folder / "cases/0 #%25 å/qc.html").as_uri())
    assert page.locator(".back").is_hidden()
    page.goto((folder / "report.html").as_uri())
    page.locator("table.cases a:not([data-row])").first.click()
    page.locator(".back a").click()
    page.wait_for_url("**/report.html")
