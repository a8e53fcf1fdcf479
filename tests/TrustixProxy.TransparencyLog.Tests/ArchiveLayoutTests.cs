using Google.Protobuf;
using TrustixProxy.TransparencyLog.Notes;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.TransparencyLog.Tests;

/// <summary>The static files of a log: what is written is read, and what is cut short is not.</summary>
public sealed class ArchiveLayoutTests
{
    [Fact]
    public void A_files_name_has_its_number_in_groups_of_three_digits_and_its_width_when_it_is_not_full()
    {
        Assert.Equal("tile/entries/x001/x234/067", ArchiveLayout.FileName(ArchiveLayout.Entries, 1_234_067, ArchiveLayout.Width));
        Assert.Equal("tile/1/000.p/45", ArchiveLayout.FileName(ArchiveLayout.Level(1), 0, 45));
    }

    [Fact]
    public void Records_are_read_as_they_were_written()
    {
        var (head, conflict) = (
            new LogHead
            {
                LogRoot = ByteString.CopyFrom(new byte[32]),
                TreeSize = 7,
                MapRoot = ByteString.CopyFrom(new byte[32]),
                MHRoot =
            ByteString.CopyFrom(new byte[32]),
                MHTreeSize = 1,
                Signature = ByteString.CopyFrom(new byte[64])
            }, new Conflict { Index = 3 });

        byte[] entries = [.. ArchiveLayout.Encode("a"u8.ToArray(), "bc"u8.ToArray()), .. ArchiveLayout.Encode("d"u8.ToArray(), [])];
        Assert.Equal([("a", "bc"), ("d", "")], ArchiveLayout.DecodeEntries(entries)
            .Select(entry => (System.Text.Encoding.ASCII.GetString(entry.Key), System.Text.Encoding.ASCII.GetString(entry.Value))));
        Assert.Equal((head, 12345L), ArchiveLayout.DecodeHeads(ArchiveLayout.Encode(head, 12345)).Single());
        Assert.Throws<InvalidDataException>(() => ArchiveLayout.DecodeHeads([0, 1, 255]).ToList());
        Assert.Equal(conflict, ArchiveLayout.DecodeConflicts(ArchiveLayout.Encode(conflict)).Single());
    }

    [Fact]
    public void Entries_that_are_cut_short_anywhere_are_refused()
    {
        var bytes = ArchiveLayout.Encode("key"u8.ToArray(), "value"u8.ToArray());

        Assert.All(Enumerable.Range(1, bytes.Length - 1), length =>
            Assert.True(Throws(() => ArchiveLayout.DecodeEntries(bytes[..length]).ToList())));
    }

    [Fact]
    public void Leaves_and_values_are_read_as_they_were_written_and_cut_short_nowhere()
    {
        var digest = Digest.Of("value"u8);
        var leaf = EntryBundle.Encode([EntryBundle.EntryOf("key"u8, digest), EntryBundle.EntryOf([], digest)]);
        var values = ArchiveLayout.EncodeValues(["value"u8.ToArray(), []]);

        Assert.Equal([("6B6579", digest), ("", digest)],
            ArchiveLayout.DecodeLeaves(leaf).Select(entry => (Convert.ToHexString(entry.Key), entry.ValueDigest)));
        Assert.Equal(["76616C7565", ""], ArchiveLayout.DecodeValues(values).Select(Convert.ToHexString));
        Assert.True(Throws(() => ArchiveLayout.DecodeLeaves(leaf[..^1]).ToList()));
        Assert.True(Throws(() => ArchiveLayout.DecodeValues(values[..^1]).ToList()));
        Assert.True(Throws(() => ArchiveLayout.DecodeLeaves([0, 4, .. "key:"u8]).ToList()));
        Assert.True(Throws(() => ArchiveLayout.DecodeLeaves(EntryBundle.Encode([new byte[33]])).ToList()));
    }

    /// <summary>The first is as version 0.1 of the program wrote it.</summary>
    [Theory]
    [InlineData("""{"version":1,"logId":"14f3","publicKey":"a\u002Bb="}""", null)]
    [InlineData("""{"version":2,"logId":"14f3","publicKey":"a+b=","origin":"log.example/nix"}""", null)]
    [InlineData("""{"version":3,"logId":"14f3","publicKey":"a+b="}""", "has version 3, and this program reads 1 and 2")]
    [InlineData("""{"version":0,"logId":"14f3","publicKey":"a+b="}""", "has version 0")]
    [InlineData("""{"version":2,"logId":"14f3","publicKey":"a+b="}""", "has version 2 without an origin")]
    [InlineData("""{"version":1,"logId":"14f3","publicKey":"a+b=","origin":"x"}""", "has version 1 with an origin")]
    [InlineData("""{"version":1,"logId":"14f3"}""", "does not describe an export")]
    [InlineData("""{"version":"1","logId":"14f3","publicKey":"a+b="}""", "does not describe an export")]
    [InlineData("<html>", "does not describe an export")]
    public void A_description_is_read_strictly_and_written_again_the_same(string json, string? fault)
    {
        var bytes = System.Text.Encoding.ASCII.GetBytes(json);
        if (fault is null)
        {
            var description = ArchiveDescription.Decode(bytes);
            Assert.Equal(json.Replace("\\u002B", "+", StringComparison.Ordinal),
                System.Text.Encoding.ASCII.GetString(description.ToBytes()));
            Assert.Equal(description.Origin is not null, description.HasCheckpoints);
        }
        else
        {
            Assert.StartsWith(
                fault, Assert.Throws<InvalidDataException>(() => ArchiveDescription.Decode(bytes)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_description_that_the_program_wrote_in_version_1_is_read_on() =>
        Assert.Equal(ArchiveDescription.Of(Notes.NoteVectors.LogKey(), null),
            ArchiveDescription.Decode(Notes.NoteVectors.Bytes("c2sp/trustix-log.json")));

    private static bool Throws(Action act) => Record.Exception(act) is InvalidDataException;
}
