namespace TrustixProxy.Testing;

/// <summary>A folder that goes when the test is over.</summary>
public sealed class TestFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("trustix-test-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
