using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace TrustixProxy.Apt;

/// <summary>OLPC's canonical JSON, the form that in-toto signs: no white space, ordered members, whole numbers only.</summary>
/// <remarks>In a text only the quotation mark and the backslash are escaped. Implementations differ on control characters (in-toto-rs,
/// which rebuilderd uses, escapes them), so that a value with one has no canonical form here.
/// Source: http://wiki.laptop.org/go/Canonical_JSON.</remarks>
internal static class OlpcJson
{
    /// <summary>Writes a value; false when it has no canonical form.</summary>
    /// <param name="value">The value, without duplicate members.</param>
    /// <param name="into">Gets the bytes.</param>
    /// <exception cref="InvalidOperationException">A text is not Unicode.</exception>
    public static bool TryWrite(JsonElement value, ArrayBufferWriter<byte> into) => value.ValueKind switch
    {
        JsonValueKind.Object => TryWriteMembers(value, into),
        JsonValueKind.Array => TryWriteItems(value, into),
        JsonValueKind.String => TryWriteText(value.GetString()!, into),
        JsonValueKind.Number => TryWriteNumber(value, into),
        JsonValueKind.True => Write("true"u8, into),
        JsonValueKind.False => Write("false"u8, into),
        _ => Write("null"u8, into),
    };

    private static bool TryWriteMembers(JsonElement value, ArrayBufferWriter<byte> into)
    {
        var members = value.EnumerateObject().Select(member => (Name: Encoding.UTF8.GetBytes(member.Name), Member: member)).ToList();
        members.Sort((a, b) => a.Name.AsSpan().SequenceCompareTo(b.Name));
        Write("{"u8, into);
        foreach (var (index, (_, member)) in members.Index())
        {
            Write(index is 0 ? ""u8 : ","u8, into);
            if (!TryWriteText(member.Name, into) || !Write(":"u8, into) || !TryWrite(member.Value, into))
            {
                return false;
            }
        }

        return Write("}"u8, into);
    }

    private static bool TryWriteItems(JsonElement value, ArrayBufferWriter<byte> into)
    {
        Write("["u8, into);
        foreach (var (index, item) in value.EnumerateArray().Index())
        {
            Write(index is 0 ? ""u8 : ","u8, into);
            if (!TryWrite(item, into))
            {
                return false;
            }
        }

        return Write("]"u8, into);
    }

    private static bool TryWriteText(string text, ArrayBufferWriter<byte> into)
    {
        var escaped = text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal);
        return !text.Any(character => character < ' ') && Write(Encoding.UTF8.GetBytes($"\"{escaped}\""), into);
    }

    private static bool TryWriteNumber(JsonElement value, ArrayBufferWriter<byte> into)
    {
        var text = value.GetRawText();
        return value.TryGetInt64(out var number) && number.ToString(CultureInfo.InvariantCulture) == text
            && Write(Encoding.ASCII.GetBytes(text), into);
    }

    private static bool Write(ReadOnlySpan<byte> bytes, ArrayBufferWriter<byte> into)
    {
        into.Write(bytes);
        return true;
    }
}
