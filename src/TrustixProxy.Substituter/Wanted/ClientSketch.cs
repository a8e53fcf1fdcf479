using System.Collections.Immutable;

namespace TrustixProxy.Substituter.Wanted;

/// <summary>Counts distinct clients in bounded memory: exactly below <see cref="Size"/>, and by an estimate above.</summary>
/// <remarks>Keeps the smallest hashes only (k minimum values): a repeated client changes nothing, and the largest kept hash tells how
/// dense the others are. The error of the estimate is about 13 %.</remarks>
/// <param name="Hashes">The smallest hashes seen, in ascending order, each once; at most <see cref="Size"/>.</param>
internal readonly record struct ClientSketch(ImmutableArray<ulong> Hashes)
{
    public const int Size = 64;

    public static ClientSketch Empty { get; } = new([]);

    /// <summary>Number of distinct clients.</summary>
    public int Count => Hashes.Length < Size ? Hashes.Length
        : (int)Math.Clamp((Size - 1) * Math.Pow(2, 64) / Math.Max(1, Hashes[^1]), Size, int.MaxValue);

    /// <summary>Whether the hashes are in order, each once, and not too many.</summary>
    public bool IsSound => Hashes.Length <= Size && Hashes.Zip(Hashes.Skip(1)).All(pair => pair.First < pair.Second);

    /// <summary>Returns the sketch with one more client; the same sketch if that changes nothing.</summary>
    /// <param name="hash">The client's hash, evenly distributed.</param>
    public ClientSketch With(ulong hash)
    {
        var index = Hashes.BinarySearch(hash);
        if (index >= 0 || ~index == Size)
        {
            return this;
        }

        var more = Hashes.Insert(~index, hash);
        return new ClientSketch(more.Length > Size ? more.RemoveAt(Size) : more);
    }
}
