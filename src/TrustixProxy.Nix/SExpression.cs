using System.Buffers;
using System.Collections.Immutable;
using System.Text;

namespace TrustixProxy.Nix;

/// <summary>An S-expression, the form of GNU Guix's keys and signatures: an atom of bytes, or a list.</summary>
/// <remarks>Reads libgcrypt's text forms, without display hints, escapes, base 64 and length prefixes: tokens, quoted strings and
/// hexadecimal bytes. Equal when the bytes are, whatever their spelling.</remarks>
public sealed class SExpression : IEquatable<SExpression>
{
    /// <summary>Maximum length of a text, in characters.</summary>
    public const int MaxSize = 64 << 10;

    /// <summary>Maximum depth of lists.</summary>
    public const int MaxDepth = 8;

    private const string Letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-./_:*+=";

    private static readonly SearchValues<char> TokenCharacters = SearchValues.Create(Letters + "0123456789");

    private readonly byte[]? _atom;

    private SExpression(byte[]? atom, ImmutableArray<SExpression> items) => (_atom, Items) = (atom, items);

    /// <summary>A list's items; empty for an atom.</summary>
    public ImmutableArray<SExpression> Items { get; }

    /// <summary>Whether it is an atom.</summary>
    public bool IsAtom => _atom is not null;

    /// <summary>An atom's bytes; empty for a list.</summary>
    public ReadOnlySpan<byte> Bytes => _atom;

    /// <summary>Creates an atom.</summary>
    public static SExpression Of(ReadOnlySpan<byte> bytes) => new(bytes.ToArray(), []);

    /// <summary>Creates an atom of ASCII characters.</summary>
    public static SExpression Of(string text) => new(Encoding.ASCII.GetBytes(text), []);

    /// <summary>Creates a list whose first item is a name.</summary>
    public static SExpression List(string name, params ReadOnlySpan<SExpression> rest) => new(null, [Of(name), .. rest]);

    /// <summary>Parses a whole text; only white space may stand around it.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, [NotNullWhen(true)] out SExpression? expression)
    {
        expression = text.Length <= MaxSize && TryRead(ref text, MaxDepth, out var read) && text.TrimStart(" \t\r\n").IsEmpty
            ? read : null;
        return expression is not null;
    }

    /// <summary>Whether it is the atom with these ASCII characters.</summary>
    public bool Is(string text) => IsAtom && Encoding.ASCII.GetBytes(text).AsSpan().SequenceEqual(_atom);

    /// <summary>Returns the rest of a list that begins with this name and has this many further items; null for anything else.</summary>
    public SExpression[]? Rest(string name, int count) => Items.Length == count + 1 && Items[0].Is(name) ? [.. Items.Skip(1)] : null;

    /// <inheritdoc/>
    public bool Equals(SExpression? other) => other is not null
        && (IsAtom ? other.IsAtom && Bytes.SequenceEqual(other.Bytes) : !other.IsAtom && Items.SequenceEqual(other.Items));

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as SExpression);

    /// <inheritdoc/>
    public override int GetHashCode() => ToString().GetHashCode(StringComparison.Ordinal);

    /// <summary>Formats it on one line.</summary>
    public override string ToString() => IsAtom ? Spelling() : $"({string.Join(' ', Items)})";

    /// <summary>Formats it on many lines, exactly as libgcrypt and Guix do.</summary>
    public string ToLines()
    {
        var text = new StringBuilder();
        Write(text, 0);
        return text.ToString();
    }

    private void Write(StringBuilder text, int depth)
    {
        var lists = Items.Where(item => !item.IsAtom).ToList();
        text.Append(' ', depth).Append('(').AppendJoin(' ', Items.Where(item => item.IsAtom));
        text.Append(lists.Count is 0 ? "" : " \n");
        lists.ForEach(list => list.Write(text, depth + 1));
        text.Append(' ', lists.Count is 0 ? 0 : depth + 1).Append(")\n");
    }

    private string Spelling()
    {
        var text = Encoding.Latin1.GetString(_atom!);
        return text.Length > 0 && Letters.Contains(text[0]) && !text.AsSpan().ContainsAnyExcept(TokenCharacters) ? text
            : text.Length > 0 && !text.Any(IsUnquotable) ? $"\"{text}\""
            : $"#{Convert.ToHexString(_atom!)}#";
    }

    private static bool IsUnquotable(char character) => character is < ' ' or > '~' or '"' or '\\';

    private static bool TryRead(ref ReadOnlySpan<char> text, int depth, [NotNullWhen(true)] out SExpression? expression)
    {
        text = text.TrimStart(" \t\r\n");
        expression = text switch
        {
            ['(', ..] when depth > 0 => ReadList(ref text, depth),
            ['"', ..] => ReadQuoted(ref text),
            ['#', ..] => ReadHexadecimal(ref text),
            [var first, ..] when Letters.Contains(first) => ReadToken(ref text),
            _ => null,
        };
        return expression is not null;
    }

    private static SExpression? ReadList(ref ReadOnlySpan<char> text, int depth)
    {
        var items = ImmutableArray.CreateBuilder<SExpression>();
        text = text[1..].TrimStart(" \t\r\n");
        while (text is not [')', ..])
        {
            if (!TryRead(ref text, depth - 1, out var item))
            {
                return null;
            }

            items.Add(item);
            text = text.TrimStart(" \t\r\n");
        }

        text = text[1..];
        return new SExpression(null, items.ToImmutable());
    }

    private static SExpression? ReadQuoted(ref ReadOnlySpan<char> text)
    {
        var length = text[1..].IndexOf('"');
        if (length < 0 || text.Slice(1, length).ContainsAnyExceptInRange(' ', '~') || text.Slice(1, length).Contains('\\'))
        {
            return null;
        }

        var atom = Of(text.Slice(1, length).ToString());
        text = text[(length + 2)..];
        return atom;
    }

    private static SExpression? ReadHexadecimal(ref ReadOnlySpan<char> text)
    {
        var length = text[1..].IndexOf('#');
        var bytes = new byte[Math.Max(0, length / 2)];
        if (length < 0 || Convert.FromHexString(text.Slice(1, length), bytes, out _, out _) is not OperationStatus.Done)
        {
            return null;
        }

        text = text[(length + 2)..];
        return new SExpression(bytes, []);
    }

    private static SExpression ReadToken(ref ReadOnlySpan<char> text)
    {
        var length = text.IndexOfAnyExcept(TokenCharacters) is var end and >= 0 ? end : text.Length;
        var atom = Of(text[..length].ToString());
        text = text[length..];
        return atom;
    }
}
