using System.Text;

namespace TrustixProxy.Apt;

/// <summary>The fields of a stanza that are read.</summary>
internal enum PackageField
{
    Package,
    Version,
    Architecture,
    FileName,
    Size,
    Sha256,
}

/// <summary>The fields of one stanza, as its lines come.</summary>
internal sealed class PackageFields
{
    private static readonly byte[][] Names =
        [.. new[] { "Package", "Version", "Architecture", "Filename", "Size", "SHA256" }.Select(Encoding.ASCII.GetBytes)];

    private readonly string?[] _values = new string?[Names.Length];
    private bool _isBad, _isAfterField;

    /// <summary>Whether no line has come.</summary>
    public bool IsEmpty { get; private set; } = true;

    /// <summary>Whether each field came once, in one line, and whole.</summary>
    public bool IsWhole => !_isBad && !_values.Contains(null);

    /// <summary>A field's value; only of a whole stanza.</summary>
    public string this[PackageField field] => _values[(int)field]!;

    /// <summary>Adds a line.</summary>
    /// <param name="line">The line, not empty, or its beginning.</param>
    /// <param name="isCut">Whether it goes on.</param>
    public void Add(ReadOnlySpan<byte> line, bool isCut)
    {
        IsEmpty = false;
        if (line[0] is (byte)' ' or (byte)'\t')
        {
            _isBad |= _isAfterField;
            return;
        }

        var colon = line.IndexOf((byte)':');
        var field = IndexOf(line[..Math.Max(0, colon)]);
        _isAfterField = field >= 0;
        _isBad |= colon < 0 || (field >= 0 && (isCut || _values[field] is not null));
        if (field >= 0)
        {
            _values[field] = Encoding.Latin1.GetString(line[(colon + 1)..].Trim(" \t"u8));
        }
    }

    /// <summary>Begins the next stanza.</summary>
    public void Clear()
    {
        Array.Clear(_values);
        (IsEmpty, _isBad, _isAfterField) = (true, false, false);
    }

    private static int IndexOf(ReadOnlySpan<byte> name)
    {
        for (var i = 0; i < Names.Length; i++)
        {
            if (Ascii.EqualsIgnoreCase(name, Names[i]))
            {
                return i;
            }
        }

        return -1;
    }
}
