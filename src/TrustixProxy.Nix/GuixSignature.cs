namespace TrustixProxy.Nix;

/// <summary>A GNU Guix signature, with the text that it signs: a narinfo up to its <c>Signature</c> line. Well formed;
/// <see cref="GuixPublicKey.Verify"/> checks whether it is valid.</summary>
public sealed record GuixSignature : CacheSignature
{
    /// <summary>The name of the field; Guix signs what stands before its first occurrence, wherever that is.</summary>
    internal const string Mark = "Signature:";

    private readonly GuixFields _fields;

    private GuixSignature(string head, string line, GuixFields fields)
    {
        (Head, Line, _fields) = (head, line, fields);
        Fingerprint = Nix.Fingerprint.Format(fields.StorePath, fields.NarHash, fields.NarSize, fields.References);
    }

    /// <summary>The signed text; each line ends with a newline.</summary>
    public string Head { get; }

    /// <summary>The field's value: <c>version;host;base64</c>.</summary>
    public string Line { get; }

    /// <inheritdoc/>
    public override string KeyName => Line.Split(';') is [_, { Length: > 0 } host, ..] ? host : "nobody";

    /// <summary>What the signed text says, in the form that is voted on.</summary>
    public string Fingerprint { get; }

    /// <summary>The fields of the signed text.</summary>
    internal GuixFields Fields => _fields;

    /// <summary>Parses exactly the text of <see cref="ToString"/>.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out GuixSignature? signature)
    {
        signature = Read(text, out var read, out var rest) is NarInfoError.None && rest.Length is 0 ? read : null;
        return signature is not null;
    }

    /// <inheritdoc/>
    public bool Equals(GuixSignature? other) => ToString() == other?.ToString();

    /// <inheritdoc/>
    public override int GetHashCode() => Line.GetHashCode(StringComparison.Ordinal);

    /// <summary>The signed text and the line of the signature, without its newline.</summary>
    public override string ToString() => $"{Head}{Mark} {Line}";

    /// <summary>Reads the signed part of a narinfo.</summary>
    /// <param name="text">The narinfo.</param>
    /// <param name="signature">The signature; null when the narinfo has none.</param>
    /// <param name="rest">What follows the line of the signature; all of a narinfo without one.</param>
    internal static NarInfoError Read(string text, out GuixSignature? signature, out string rest)
    {
        (signature, rest) = (null, text);
        var at = text.IndexOf(Mark, StringComparison.Ordinal);
        if (at < 0)
        {
            return NarInfoError.None;
        }

        var end = text.IndexOf('\n', at) is var newline and >= 0 ? newline : text.Length;
        var line = text[(at + Mark.Length)..end];
        if (at is 0 || text[at - 1] is not '\n' || line is not [' ', _, ..] || line.AsSpan(1).ContainsAnyExceptInRange('!', '~'))
        {
            return NarInfoError.Signature;
        }

        var error = GuixFields.Read(text[..at], out var fields);
        if (error is NarInfoError.None)
        {
            (signature, rest) = (new GuixSignature(text[..at], line[1..], fields!), text[Math.Min(end + 1, text.Length)..]);
        }

        return error;
    }
}
