import math

from colorkit.base.rendering import html_table


def test_a_table_escapes_text_and_puts_numbers_to_the_right():
    page = html_table(["model", "error"], [["<U-Net>", 0.01], ["one 'colour'", math.nan]])
    assert '<th>model</th><th class="n">error</th>' in page
    assert '<td>&lt;U-Net&gt;</td><td class="n">0.0100</td>' in page
    assert "<td>one 'colour'</td><td class=\"n\">–</td>" in page
    assert html_table(["model"], []) == ""
