namespace TrustixProxy.Nix.Tests.Guix;

/// <summary>The S-expressions of keys and signatures, of which only a strict part is read.</summary>
public sealed class SExpressionTests
{
    [Theory]
    [InlineData("()", "()")]
    [InlineData("a", "a")]
    [InlineData(" ( a\t\"b c\"\r\n#0A# ) ", "(a \"b c\" #0A#)")]
    [InlineData("(a(b)\"c\"#64#)", "(a (b) c d)")]
    [InlineData("(\"1\" \"\" ##)", "(\"1\" ## ##)")]
    public void It_is_read_and_written_on_one_line(string text, string expected)
    {
        Assert.True(SExpression.TryParse(text, out var expression));

        Assert.Equal(expected, expression.ToString());
        Assert.True(SExpression.TryParse(expected, out var same));
        Assert.Equal(expression, same);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("(")]
    [InlineData(")")]
    [InlineData("(a))")]
    [InlineData("(a) b")]
    [InlineData("1:a")]
    [InlineData("(1a)")]
    [InlineData("(\"a)")]
    [InlineData("(\"a\\n\")")]
    [InlineData("(\"\u00e9\")")]
    [InlineData("(#0#)")]
    [InlineData("(#0g#)")]
    [InlineData("(#00)")]
    [InlineData("(# 00#)")]
    [InlineData("(|YQ==|)")]
    [InlineData("{YQ==}")]
    [InlineData("([text]a)")]
    [InlineData("(a\0)")]
    public void Anything_else_is_refused(string text) => Assert.False(SExpression.TryParse(text, out _));

    [Fact]
    public void Depth_and_length_are_bounded()
    {
        static string Nested(int depth) => new string('(', depth) + new string(')', depth);

        Assert.True(SExpression.TryParse(Nested(SExpression.MaxDepth), out _));
        Assert.False(SExpression.TryParse(Nested(SExpression.MaxDepth + 1), out _));
        Assert.True(SExpression.TryParse(new string('a', SExpression.MaxSize), out _));
        Assert.False(SExpression.TryParse(new string('a', SExpression.MaxSize + 1), out _));
    }

    [Fact]
    public void An_atom_is_no_list_and_lists_differ_in_each_item()
    {
        string[] all = ["a", "b", "()", "(a)", "(b)", "(a a)", "((a))", "(a (a))"];
        var expressions = all.Select(text => SExpression.TryParse(text, out var read) ? read : null).ToList();

        Assert.Equal(all.Length, expressions.Distinct().Count());
        Assert.Equal(all, expressions.Select(expression => expression!.ToString()));
    }

    [Fact]
    public void An_acl_of_guix_is_written_to_the_byte()
    {
        Assert.True(SExpression.TryParse(GuixVectors.Text("acl"), out var acl));

        Assert.Equal(GuixVectors.Text("acl"), acl.ToLines());
        Assert.Equal(4, acl.Items.Length);
    }
}
