"""The page of a case in a real browser: its sliders and switches."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow


def test_slider_moves_the_picture(page, folder):
    """By keyboard and by pointer the slider changes the pixels, from all before to all after."""
    page.goto((folder / "cases/0 #%25 å/qc.html").as_uri())
    compare = page.locator(".compare").first
    slider, stage = compare.locator("input[type=range]"), compare.locator(".canvas")
    middle = stage.screenshot()
    slider.focus()
    page.keyboard.press("Home")
    before = stage.screenshot()
    page.keyboard.press("End")
    after = stage.screenshot()
    assert len({before, middle, after}) == 3
    clip = compare.locator(".warped").evaluate("one => getComputedStyle(one).clipPath")
    assert clip in ("inset(0px)", "inset(0px 0% 0px 0px)", "inset(0px calc(0%) 0px 0px)")
    box = stage.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.25, box["y"] + box["height"] / 2)
    assert abs(int(slider.input_value()) - 25) <= 1


def test_fading_flipping_and_the_fixed_scan(page, folder):
    """Fade, flip, fixed as the other picture, hidden outlines and marks each change the picture."""
    page.goto((folder / "cases/0 #%25 å/qc.html").as_uri())
    stage = page.locator(".compare .canvas").first
    seen = [stage.screenshot()]
    page.locator("select.mode").select_option("fade")
    seen.append(stage.screenshot())
    page.locator(".flip").click()
    assert page.locator(".qc-slider").first.input_value() == "100"
    seen.append(stage.screenshot())
    page.locator(".flip").click()
    page.locator("select.base").select_option("fixed")
    seen.append(stage.screenshot())
    page.locator(".outlines").uncheck()
    seen.append(stage.screenshot())
    page.locator(".marks").uncheck()
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
