namespace TrustixProxy.Native.Tests;

/// <summary>A stamp tells whether anybody has changed a file, also where the old modification time was set again.</summary>
public sealed class FileStampTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("trustix-test-").FullName;

    private string File => Path.Combine(_folder, "file");

    [Fact]
    public void A_file_that_nobody_has_changed_keeps_its_stamp()
    {
        System.IO.File.WriteAllText(File, "abc");
        var before = FileStamp.Read(File);

        _ = System.IO.File.ReadAllText(File);

        Assert.Equal(3, before!.Value.Size);
        Assert.Equal(before, FileStamp.Read(File));
    }

    [Fact]
    public void Other_bytes_under_the_old_time_have_another_stamp()
    {
        System.IO.File.WriteAllText(File, "abc");
        var time = new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        System.IO.File.SetLastWriteTimeUtc(File, time);
        var before = FileStamp.Read(File)!.Value;
        FileStamp after;
        do
        {
            System.IO.File.WriteAllText(File, "abd"); // until the kernel's coarse clock has moved
            System.IO.File.SetLastWriteTimeUtc(File, time);
            after = FileStamp.Read(File)!.Value;
        }
        while (after.ChangedAt == before.ChangedAt);

        Assert.Equal((before.Size, before.ModifiedAt, before.Inode), (after.Size, after.ModifiedAt, after.Inode));
        Assert.NotEqual(before, after);
    }

    [Fact]
    public void What_is_no_regular_file_has_none()
    {
        System.IO.File.CreateSymbolicLink(File, "/etc/hostname");

        Assert.Null(FileStamp.Read(File));
        Assert.Null(FileStamp.Read(_folder));
        Assert.Null(FileStamp.Read(Path.Combine(_folder, "missing")));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
