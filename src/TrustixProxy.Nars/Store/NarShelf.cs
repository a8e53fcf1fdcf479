using TrustixProxy.Native;

namespace TrustixProxy.Nars.Store;

/// <summary>Receives what <see cref="NarStoreWriter"/> wrote.</summary>
public abstract class NarShelf
{
    /// <summary>Runs on the writer's thread before anything else.</summary>
    internal abstract void Load();

    /// <summary>Receives a complete, verified file that is on disk.</summary>
    internal abstract void Publish(StoredNar nar, string path, FileStamp stamp);

    /// <summary>Receives a correct file that is not stored: the disk failed, or fell behind (null).</summary>
    internal abstract void GiveUp(StoredNar nar, Exception? exception);
}
