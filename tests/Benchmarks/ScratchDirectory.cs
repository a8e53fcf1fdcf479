namespace TrustixProxy.Benchmarks;

/// <summary>A directory that is deleted with all that is in it.</summary>
internal sealed class ScratchDirectory : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("trustix-network-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
