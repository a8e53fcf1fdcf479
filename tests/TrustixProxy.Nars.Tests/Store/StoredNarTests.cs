using System.Globalization;
using TrustixProxy.Nars.Store;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Nars.Tests.Store;

/// <summary>Names of files, and which of them make room.</summary>
public sealed class StoredNarTests
{
    [Theory]
    [InlineData("none", "")]
    [InlineData("xz", ".xz")]
    [InlineData("zstd", ".zst")]
    public void A_name_says_all_that_is_known_and_reads_back_as_nothing_else(string compression, string suffix)
    {
        var output = TestOutput.Make();
        var (narHash, size, fileHash) = (output.Statement.NarHash, output.Nar.Length, output.NarInfo(compression).FileHash!);
        var nar = new StoredNar(output.Path, narHash, size, fileHash, compression);
        var name = $"{narHash.Digits}-{size.ToString(CultureInfo.InvariantCulture)}-{fileHash.Digits}.nar{suffix}";

        Assert.Equal(name, nar.FileName);
        Assert.True(StoredNar.TryParse(output.Path, name, out var read));
        Assert.Equal(nar, read);
        foreach (var wrong in new[]
        {
            "", ".nar", name + "x", name[1..], "x" + name, name.ToUpperInvariant(), name.Replace("-", "--", StringComparison.Ordinal),
                name.Replace(".nar", ".nar.nar", StringComparison.Ordinal),
            name.Replace($"-{size}-", $"-0{size}-", StringComparison.Ordinal), name.Replace($"-{size}-", "-0-", StringComparison.Ordinal),
                name.Replace($"-{size}-", "-99999999999999999999-", StringComparison.Ordinal),
            $"{narHash.Digits}-{size}-{TestOutput.Make().Statement.NarHash.Digits}.nar",
        })
        {
            Assert.False(StoredNar.TryParse(output.Path, wrong, out _), wrong);
        }
    }

    [Fact]
    public void What_was_used_longest_ago_makes_room_to_the_byte_and_what_is_pinned_never_does()
    {
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        for (var round = 0; round < 200; round++)
        {
            var (max, model) = (random.Next(50, 200), new List<(StoredNar Nar, int Size, bool IsPinned)>()); // the model: oldest use first
            var index = new StoredNarIndex(max, ["pinned-*"]);
            for (var step = 0; step < 60; step++)
            {
                if (model.Count > 0 && random.Next(3) is 0)
                {
                    var used = model[random.Next(model.Count)];
                    model.Remove(used);
                    model.Add(used);
                    index.Touch(used.Nar);
                    continue;
                }

                var (size, isPinned) = (random.Next(1, 60), random.Next(6) is 0);
                var nar = Nar(isPinned);
                var excess = index.Excess(size, out var isEnough);
                var expected = new List<StoredNar>();
                foreach (var old in model.Where(old => !old.IsPinned))
                {
                    if (model.Sum(item => item.Size) - model.Where(item => expected.Contains(item.Nar)).Sum(item => item.Size) + size > max)
                    {
                        expected.Add(old.Nar);
                    }
                }

                Assert.Equal(expected, excess.Select(entry => entry.Nar));
                Assert.Equal(model.Where(item => !expected.Contains(item.Nar)).Sum(item => item.Size) + size <= max, isEnough);
                if (isEnough)
                {
                    expected.ForEach(index.Remove);
                    model.RemoveAll(item => expected.Contains(item.Nar));
                    index.Add(nar, size);
                    model.Add((nar, size, isPinned));
                }

                Assert.Equal(model.Sum(item => item.Size), index.Size);
                Assert.True(index.Size <= max, $"seed {seed}: {index.Size} of {max}");
            }
        }
    }

    private static readonly NixHash Hash = TestOutput.Make().Statement.NarHash;

    private static StoredNar Nar(bool isPinned) => new(TestOutput.PathOf(isPinned ? "pinned-1" : "some-1"), Hash, 1, Hash, "none");
}
