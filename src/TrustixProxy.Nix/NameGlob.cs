using System.IO.Enumeration;

namespace TrustixProxy.Nix;

/// <summary>A pattern of store path names, the text after the digest: <c>*</c> stands for any characters, <c>?</c> for one. Upper and lower
/// case differ.</summary>
public static class NameGlob
{
    /// <summary>Whether a text could match a name at all: it has characters of names only, and at least one.</summary>
    public static bool IsGlob(string glob) =>
        glob.Length > 0
            && glob.All(character => char.IsAsciiLetterOrDigit(character) || character is '+' or '-' or '.' or '_' or '?' or '=' or '*');

    /// <summary>Whether the name of <paramref name="path"/> is one of those that <paramref name="glob"/> stands for.</summary>
    public static bool Matches(string glob, StorePath path) => FileSystemName.MatchesSimpleExpression(glob, path.Name, ignoreCase: false);
}
