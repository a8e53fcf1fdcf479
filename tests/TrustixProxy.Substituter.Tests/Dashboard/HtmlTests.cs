using System.Net;
using FsCheck.Fluent;
using TrustixProxy.IO.Pages;
using TrustixProxy.Substituter.Dashboard;

namespace TrustixProxy.Substituter.Tests.Dashboard;

/// <summary>The one place where texts become markup.</summary>
public sealed class HtmlTests
{
    [Fact]
    public void Whatever_stands_in_a_hole_is_text_and_comes_out_as_it_went_in() => FsCheck.Check.One(
        FsCheck.Config.QuickThrowOnFailure.WithMaxTest(500),
        Prop.ForAll(ArbMap.Default.ArbFor<FsCheck.NonNull<string>>(), given =>
        {
            var text = given.Get;
            var markup = Html.Of($"<p title=\"{text}\">{text}</p>").ToString();
            var inner = markup["<p title=\"".Length..^"</p>".Length].Split("\">");

            Assert.Equal(2, inner.Length);
            Assert.All(inner, part => Assert.Equal(-1, part.AsSpan().IndexOfAny("<>\"'")));
            Assert.All(inner, part => Assert.Equal(Whole(text), WebUtility.HtmlDecode(part)));
        }));

    [Fact]
    public void Markup_in_a_hole_stays_markup_and_numbers_are_written_the_same_everywhere()
    {
        var cell = Html.Of($"<td>{1234567.5:N1}</td>");

        Assert.Equal("<tr><td>1,234,567.5</td><td>1,234,567.5</td></tr>",
            Html.Of($"<tr>{cell}{Html.Each([1], _ => cell)}{Html.Empty}{null as string}</tr>").ToString());
        Assert.Equal("&lt;b&gt; &amp;lt; &#x27;", Html.Of($"{"<b> &lt; '"}").ToString());
    }

    /// <summary>A half of a surrogate pair is no text; it becomes the replacement character, and nothing that could break out.</summary>
    private static string Whole(string text) => System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(text));
}
