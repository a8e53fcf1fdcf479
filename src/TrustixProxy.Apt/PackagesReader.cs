namespace TrustixProxy.Apt;

/// <summary>Reads an index of packages while it streams: stanzas of <c>Field: value</c> lines, with an empty line after each.</summary>
/// <remarks>Its memory does not grow with the text. A stanza that lacks a field, or has one twice, over several lines or malformed, is
/// skipped. Source: <c>deb822(5)</c>, Debian's wiki on repository formats.</remarks>
/// <param name="found">Gets each package.</param>
public sealed class PackagesReader(Action<DebianPackage> found)
{
    /// <summary>Longest line that is kept, in bytes; only fields that are not read have longer ones.</summary>
    private const int MaxLine = 4096;

    private readonly PackageFields _fields = new();
    private readonly byte[] _line = new byte[MaxLine];
    private int _length;
    private bool _isCut;

    /// <summary>Number of packages found.</summary>
    public long Found { get; private set; }

    /// <summary>Number of stanzas skipped.</summary>
    public long Skipped { get; private set; }

    /// <summary>Reads the next bytes, cut anywhere.</summary>
    public void Append(ReadOnlySpan<byte> text)
    {
        while (text.IndexOf((byte)'\n') is var end and >= 0)
        {
            if (_length is 0 && end <= MaxLine)
            {
                EndLine(text[..end]);
            }
            else
            {
                Keep(text[..end]);
                EndLine(_line.AsSpan(0, _length));
            }

            text = text[(end + 1)..];
        }

        Keep(text);
    }

    /// <summary>Ends the text.</summary>
    public void Complete()
    {
        if (_length > 0)
        {
            EndLine(_line.AsSpan(0, _length));
        }

        EndStanza();
    }

    private void Keep(ReadOnlySpan<byte> part)
    {
        var kept = part[..Math.Min(part.Length, MaxLine - _length)];
        kept.CopyTo(_line.AsSpan(_length));
        _length += kept.Length;
        _isCut |= kept.Length < part.Length;
    }

    private void EndLine(ReadOnlySpan<byte> line)
    {
        if (line.IsEmpty)
        {
            EndStanza();
        }
        else
        {
            _fields.Add(line, _isCut);
        }

        (_length, _isCut) = (0, false);
    }

    private void EndStanza()
    {
        if (_fields.IsEmpty)
        {
            return;
        }

        if (_fields.IsWhole && DebianPackage.Of(_fields) is { } package)
        {
            Found++;
            found(package);
        }
        else
        {
            Skipped++;
        }

        _fields.Clear();
    }
}
