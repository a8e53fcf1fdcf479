namespace TrustixProxy.Fuzz;

/// <summary>Damages valid input the way bugs and attackers do: bits, bytes, cuts, repeats, splices, numbers at their limits,
/// noise.</summary>
internal sealed class Mutator(int seed)
{
    private static readonly byte[][] Spice =
    [
        [0], [0xff], [0x80], "\n"u8.ToArray(), "\r\n"u8.ToArray(), "\0"u8.ToArray(), " "u8.ToArray(), "//"u8.ToArray(), "../"u8.ToArray(),
            ":"u8.ToArray(), "\""u8.ToArray(), "\\ud800"u8.ToArray(),
        "null"u8.ToArray(), "-1"u8.ToArray(), "9223372036854775808"u8.ToArray(), "1e999"u8.ToArray(), "{}"u8.ToArray(), "[[[["u8.ToArray(),
            "é\U0001F600"u8.ToArray(),
        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], [0, 0, 0, 0, 0, 0, 0, 0x80], new byte[64],
    ];

    private readonly Random _random = new(seed);

    public byte[] Mutate(IReadOnlyList<byte[]> seeds)
    {
        var bytes = Pick(seeds).ToList();
        for (var steps = 1 + _random.Next(4); steps > 0; steps--)
        {
            Step(bytes, seeds);
        }

        return [.. bytes];
    }

    private void Step(List<byte> bytes, IReadOnlyList<byte[]> seeds)
    {
        var at = _random.Next(bytes.Count + 1);
        var length = Math.Min(_random.Next(1, 40), bytes.Count - at);
        switch (_random.Next(9))
        {
            case 0 when at < bytes.Count:
                bytes[at] ^= (byte)(1 << _random.Next(8));
                break;
            case 1 when at < bytes.Count:
                bytes[at] = (byte)_random.Next(256);
                break;
            case 2:
                bytes.RemoveRange(at, length);
                break;
            case 3:
                bytes.RemoveRange(at, bytes.Count - at);
                break;
            case 4:
                bytes.InsertRange(at, bytes.Slice(at, length));
                break;
            case 5:
                bytes.InsertRange(at, Pick(Spice));
                break;
            case 6 when at < bytes.Count:
                var spice = Pick(Spice).Take(bytes.Count - at).ToList();
                bytes.RemoveRange(at, spice.Count);
                bytes.InsertRange(at, spice);
                break;
            case 7:
                var other = Pick(seeds);
                bytes.RemoveRange(at, bytes.Count - at);
                bytes.AddRange(other.Skip(_random.Next(other.Length + 1)));
                break;
            default:
                var noise = new byte[_random.Next(100)];
                _random.NextBytes(noise);
                bytes.InsertRange(at, noise);
                break;
        }
    }

    private byte[] Pick(IReadOnlyList<byte[]> choices) => choices[_random.Next(choices.Count)];
}
