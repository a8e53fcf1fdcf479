using System.IO.Enumeration;

namespace TrustixProxy.Nix;

/// <summary>Matches store path names, the text after the digest: <c>*</c> matches any characters, <c>?</c> one; case-sensitive.</summary>
public static class NameGlob
{
    /// <summary>Whether a text could match a name at all: it is not empty, and has only characters of names.</summary>
    public static bool IsGlob(string glob) =>
        glob.Length > 0
            && glob.All(character => char.IsAsciiLetterOrDigit(character) || character is '+' or '-' or '.' or '_' or '?' or '=' or '*');

    /// <summary>Whether the name of <paramref name="path"/> matches <paramref name="glob"/>.</summary>
    public static bool Matches(string glob, StorePath path) => Matches(glob, path.Name);

    /// <summary>Whether a name matches <paramref name="glob"/>.</summary>
    public static bool Matches(string glob, string name) => FileSystemName.MatchesSimpleExpression(glob, name, ignoreCase: false);
}
