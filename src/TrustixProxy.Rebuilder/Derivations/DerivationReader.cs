using System.Collections.Immutable;
using System.Text;
using TrustixProxy.Nix;

namespace TrustixProxy.Rebuilder.Derivations;

/// <summary>Reads a derivation file whole.</summary>
/// <remarks>
/// <code>
/// Derive([("out","/nix/store/…","",""),…],[("/nix/store/….drv",["out"]),…],["/nix/store/…",…],"system","builder",
///     ["argument",…],[("name","value"),…])
/// </code>
/// A text stands between quotes, with <c>\"</c>, <c>\\</c>, <c>\n</c>, <c>\r</c> and <c>\t</c>. No space stands between words.</remarks>
public ref struct DerivationReader
{
    private readonly ReadOnlySpan<byte> _bytes;
    private int _at;
    private DerivationError _error;

    private DerivationReader(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>Reads a file's bytes; nothing is trimmed or repaired.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out Derivation? derivation, out DerivationError error)
    {
        derivation = null;
        if (bytes.Length > Derivation.MaxSize)
        {
            error = DerivationError.TooLarge;
            return false;
        }

        var reader = new DerivationReader(bytes);
        derivation = reader.Read();
        error = reader._error;
        derivation = error is DerivationError.None ? derivation : null;
        return derivation is not null;
    }

    private Derivation? Read()
    {
        if (_bytes.StartsWith("DrvWithVersion("u8))
        {
            return Fail<Derivation>(DerivationError.Dynamic);
        }

        Take("Derive("u8);
        var outputs = List(ReadOutput);
        Take(","u8);
        var inputs = List(ReadInput);
        Take(","u8);
        var sources = List(ReadPath);
        Take(","u8);
        var system = ReadText();
        Take(","u8);
        ReadText(); // the builder
        Take(","u8);
        List(ReadText); // its arguments
        Take(","u8);
        List(ReadVariable);
        Take(")"u8);
        if (_error is DerivationError.None && _at < _bytes.Length)
        {
            _error = DerivationError.TrailingBytes;
        }

        return _error is not DerivationError.None ? null
            : outputs.IsEmpty ? Fail<Derivation>(DerivationError.NoOutput)
            : new Derivation { Outputs = outputs, Inputs = inputs, Sources = sources, System = system };
    }

    private static DerivationOutput? ReadOutput(ref DerivationReader reader)
    {
        reader.Take("("u8);
        var name = reader.ReadText();
        reader.Take(","u8);
        var path = reader.ReadText();
        reader.Take(","u8);
        reader.ReadText(); // how the hash was made
        reader.Take(","u8);
        var hash = reader.ReadText();
        reader.Take(")"u8);
        return reader._error is not DerivationError.None ? null
            : path.Length is 0 ? reader.Fail<DerivationOutput>(DerivationError.UnknownOutput)
            : reader.ToPath(path) is { } found ? new DerivationOutput(name, found, hash) : null;
    }

    private static DerivationInput? ReadInput(ref DerivationReader reader)
    {
        reader.Take("("u8);
        var path = reader.ReadText();
        reader.Take(","u8);
        if (reader.Next is (byte)'(')
        {
            return reader.Fail<DerivationInput>(DerivationError.Dynamic);
        }

        var outputs = reader.List(ReadText);
        reader.Take(")"u8);
        return reader.ToPath(path) is { } found ? new DerivationInput(found, outputs) : null;
    }

    private static StorePath? ReadPath(ref DerivationReader reader) => reader.ToPath(reader.ReadText());

    private static string ReadText(ref DerivationReader reader) => reader.ReadText();

    private static string ReadVariable(ref DerivationReader reader)
    {
        reader.Take("("u8);
        reader.ReadText();
        reader.Take(","u8);
        var value = reader.ReadText();
        reader.Take(")"u8);
        return value;
    }

    private readonly byte? Next => _error is DerivationError.None && _at < _bytes.Length ? _bytes[_at] : null;

    private delegate T? Item<T>(ref DerivationReader reader);

    private ImmutableArray<T> List<T>(Item<T> read)
        where T : class
    {
        var items = ImmutableArray.CreateBuilder<T>();
        Take("["u8);
        while (Next is { } next && next is not (byte)']')
        {
            if (items.Count > 0)
            {
                Take(","u8);
            }

            if (read(ref this) is { } item)
            {
                items.Add(item);
            }
        }

        Take("]"u8);
        return items.ToImmutable();
    }

    private string ReadText()
    {
        Take("\""u8);
        var text = new List<byte>();
        while (Next is { } next && next is not (byte)'"')
        {
            _at++;
            text.Add(next is (byte)'\\' ? Unescape() : next);
        }

        Take("\""u8);
        return _error is DerivationError.None ? Encoding.UTF8.GetString([.. text]) : "";
    }

    private byte Unescape()
    {
        var escaped = Next;
        _at++;
        switch (escaped)
        {
            case (byte)'n':
                return (byte)'\n';
            case (byte)'r':
                return (byte)'\r';
            case (byte)'t':
                return (byte)'\t';
            case (byte)'"' or (byte)'\\':
                return escaped.Value;
            default:
                Fail<string>(DerivationError.Syntax);
                return 0;
        }
    }

    private StorePath? ToPath(string text) =>
        _error is not DerivationError.None ? null
        : StorePath.TryParseAbsolute(text, Store.Nix, out var path, out _) ? path : Fail<StorePath>(DerivationError.StorePath);

    private void Take(scoped ReadOnlySpan<byte> word)
    {
        if (_error is DerivationError.None && _bytes[_at..].StartsWith(word))
        {
            _at += word.Length;
        }
        else
        {
            Fail<string>(DerivationError.Syntax);
        }
    }

    /// <summary>Keeps the first error; nothing is read after it.</summary>
    private T? Fail<T>(DerivationError error)
        where T : class
    {
        _error = _error is DerivationError.None ? error : _error;
        return null;
    }
}
