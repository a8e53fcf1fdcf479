namespace TrustixProxy.Nix;

/// <summary>The element at which <see cref="NarReader.Read"/> has stopped.</summary>
public enum NarEvent
{
    /// <summary>Nothing yet.</summary>
    None,

    /// <summary>An entry of a directory, whose node follows: <see cref="NarReader.Word"/> is its name.</summary>
    Entry,

    /// <summary>A directory, whose entries follow.</summary>
    Directory,

    /// <summary>A symbolic link: <see cref="NarReader.Word"/> is its target.</summary>
    Symlink,

    /// <summary>A file, whose <see cref="NarReader.FileSize"/> bytes follow as the next ones.</summary>
    File,

    /// <summary>The end of a directory, a link or a file.</summary>
    Close,
}
