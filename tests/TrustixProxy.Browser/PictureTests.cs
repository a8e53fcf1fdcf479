namespace TrustixProxy.Browser;

/// <summary>The pictures of the documents are those that <c>TRUSTIXPROXY_SCREENSHOTS</c> of this suite makes.</summary>
public sealed class PictureTests
{
    private const int Largest = 150_000;

    [Theory]
    [InlineData("dashboard.png")]
    [InlineData("path.png")]
    public void They_are_small(string name)
    {
        var file = new FileInfo(Path.Combine(AppContext.BaseDirectory, "pictures", name));

        Assert.InRange(file.Length, 10_000, Largest);
    }
}
