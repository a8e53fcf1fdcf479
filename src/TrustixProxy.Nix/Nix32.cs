using System.Buffers;

namespace TrustixProxy.Nix;

/// <summary>Nix's base-32: 5 bits per character, least significant bits last, alphabet without <c>e o u t</c>.</summary>
/// <remarks>Source: nix <c>src/libutil/base-nix-32.cc</c>.</remarks>
public static class Nix32
{
    private const string Alphabet = "0123456789abcdfghijklmnpqrsvwxyz";

    private static readonly sbyte[] Digits =
        [.. Enumerable.Range(0, 128).Select(i => (sbyte)Alphabet.IndexOf((char)i, StringComparison.Ordinal))];

    /// <summary>The 32 characters, for searching.</summary>
    public static SearchValues<char> Characters { get; } = SearchValues.Create(Alphabet);

    /// <summary>Returns the number of characters for <paramref name="byteCount"/> bytes: 32 for 20 bytes, 52 for 32.</summary>
    public static int EncodedLength(int byteCount) => byteCount is 0 ? 0 : ((byteCount * 8) - 1) / 5 + 1;

    /// <summary>Encodes <paramref name="bytes"/> as text.</summary>
    public static string Encode(ReadOnlySpan<byte> bytes)
    {
        Span<char> text = stackalloc char[EncodedLength(bytes.Length)];
        for (var n = 0; n < text.Length; n++)
        {
            var (index, shift) = (n * 5 / 8, n * 5 % 8);
            var low = bytes[index] >> shift;
            var high = index + 1 < bytes.Length ? bytes[index + 1] << (8 - shift) : 0;
            text[^(n + 1)] = Alphabet[(low | high) & 31];
        }

        return new string(text);
    }

    /// <summary>Decodes all of <paramref name="text"/> into <paramref name="bytes"/>, whose length is the required number of
    /// bytes.</summary>
    /// <returns>False when the length differs, a character is not of the alphabet, or surplus high bits are set: each value has one
    /// text.</returns>
    public static bool TryDecode(ReadOnlySpan<char> text, Span<byte> bytes)
    {
        if (text.Length != EncodedLength(bytes.Length))
        {
            return false;
        }

        bytes.Clear();
        for (var n = 0; n < text.Length; n++)
        {
            var digit = text[^(n + 1)] < Digits.Length ? Digits[text[^(n + 1)]] : -1;
            if (digit < 0)
            {
                return false;
            }

            var (index, shift) = (n * 5 / 8, n * 5 % 8);
            bytes[index] |= unchecked((byte)(digit << shift));
            var carry = digit >> (8 - shift);
            if (index + 1 < bytes.Length)
            {
                bytes[index + 1] |= (byte)carry;
            }
            else if (carry != 0)
            {
                return false;
            }
        }

        return true;
    }
}
