using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Encodings.Web;

namespace TrustixProxy.IO.Pages;

/// <summary>Safe markup: literals of this program and encoded texts. Created only by <see cref="Of"/>.</summary>
/// <remarks>This is the only place where texts become markup: a hole in <c>Html.Of($"&lt;td&gt;{name}&lt;/td&gt;")</c> is encoded for
/// elements and quoted attributes, unless it is markup itself.
/// No hole stands in a script, a style or an unquoted attribute.</remarks>
public sealed class Html
{
    private readonly string _text;

    private Html(string text) => _text = text;

    /// <summary>No markup.</summary>
    public static Html Empty { get; } = new("");

    /// <summary>Creates markup from an interpolated literal.</summary>
    public static Html Of(Writer writer) => new(writer.Text);

    /// <summary>Concatenates the markup of each item.</summary>
    public static Html Each<T>(IEnumerable<T> items, Func<T, Html> make) => new(string.Concat(items.Select(item => make(item)._text)));

    public override string ToString() => _text;

    /// <summary>Writes the parts of an interpolated literal.</summary>
    [InterpolatedStringHandler]
    public readonly ref struct Writer
    {
        private readonly StringBuilder _markup;

        public Writer(int literalLength, int formattedCount) => _markup = new StringBuilder(literalLength + (formattedCount * 16));

        internal string Text => _markup.ToString();

        public void AppendLiteral(string markup) => _markup.Append(markup);

        public void AppendFormatted(Html? markup) => _markup.Append(markup?._text);

        public void AppendFormatted<T>(T value) => AppendFormatted(value, null);

        public void AppendFormatted<T>(T value, string? format) =>
            _markup.Append(HtmlEncoder.Default.Encode(
                (value as IFormattable)?.ToString(format, CultureInfo.InvariantCulture) ?? value?.ToString() ?? ""));
    }
}
