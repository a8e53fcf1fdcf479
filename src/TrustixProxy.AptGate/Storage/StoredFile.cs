using Microsoft.Win32.SafeHandles;

namespace TrustixProxy.AptGate.Storage;

/// <summary>An open file of the store, whose bytes were hashed in this process and not written since.</summary>
/// <param name="Handle">The open file; it stays readable when the store lets the file go.</param>
/// <param name="Size">Length in bytes.</param>
/// <param name="ModifiedAt">When the archive says it was last changed; null when it does not say.</param>
public sealed record StoredFile(SafeFileHandle Handle, long Size, DateTimeOffset? ModifiedAt) : IDisposable
{
    /// <inheritdoc/>
    public void Dispose() => Handle.Dispose();
}

/// <summary>Signals that the disk refuses a file. Clients read the message; the log says more.</summary>
public sealed class StoreException(Exception cause) : Exception("the disk of this gate refuses the file; its log says why", cause);

/// <summary>A file that is being written. It becomes one of the store's, or goes.</summary>
/// <param name="Handle">The file, to write and to read; it stays readable under its later name.</param>
/// <param name="Path">Where it is while it is written.</param>
public sealed record Spool(SafeFileHandle Handle, string Path) : IDisposable
{
    /// <summary>Whether it was published, and its temporary name is gone.</summary>
    public bool IsPublished { get; internal set; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Handle.Dispose();
        if (!IsPublished)
        {
            FileStoreFolder.Discard(Path);
        }
    }
}
