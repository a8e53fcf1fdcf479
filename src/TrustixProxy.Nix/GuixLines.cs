namespace TrustixProxy.Nix;

/// <summary>Splits a GNU Guix narinfo into its fields.</summary>
internal static class GuixLines
{
    /// <summary>Returns each line's name and value; an empty name for a line that is not <c>Name: value</c>, for example a continuation
    /// or a comment of Guix's parser.</summary>
    public static IEnumerable<(string Name, string Value)> Of(string text)
    {
        for (var start = 0; start < text.Length;)
        {
            var end = text.IndexOf('\n', start) is var newline and >= 0 ? newline : text.Length;
            yield return Split(text[start..end]);
            start = end + 1;
        }
    }

    private static (string Name, string Value) Split(string line)
    {
        var colon = line.IndexOf(": ", StringComparison.Ordinal);
        var isField = colon > 0 && !line.AsSpan(0, colon).ContainsAnyExceptInRange('A', 'z')
            && !line.AsSpan().ContainsAnyExceptInRange(' ', '~');
        return isField ? (line[..colon], line[(colon + 2)..]) : ("", line);
    }
}
