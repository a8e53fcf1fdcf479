using Google.Protobuf;
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

    private static bool Throws(Action act) => Record.Exception(act) is InvalidDataException;
}
