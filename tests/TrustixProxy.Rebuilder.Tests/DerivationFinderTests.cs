using TrustixProxy.Nix;
using TrustixProxy.Rebuilder.Builds;
using TrustixProxy.Rebuilder.Stores;
using TrustixProxy.Testing;

namespace TrustixProxy.Rebuilder.Tests;

/// <summary>Finds derivations with stand-ins for Nix's programs, which know the derivations that lie in the store.</summary>
[Collection("Programs")]
public sealed class DerivationFinderTests : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly ManualTime _time = new();
    private readonly string? _path = Environment.GetEnvironmentVariable("PATH");
    private readonly StorePath _wanted = TestOutput.PathOf("hello"), _good = TestOutput.PathOf("hello.drv");

    public DerivationFinderTests()
    {
        Directory.CreateDirectory(Path.Combine(_folder.Path, "nix/store"));
        WriteProgram("nix", "test -e \"$4$5\""); // nix copy --derivation --to FOLDER PATH
        WriteProgram("nix-store", "case \"$*\" in *--requisites*) shift 4; printf '%s\\n' \"$@\";; *) exit 1;; esac");
        WriteProgram("nix-instantiate", $"cat '{Evaluation}'");
        Environment.SetEnvironmentVariable("PATH", $"{Path.Combine(_folder.Path, "bin")}:{_path}");
    }

    private string Evaluation => Path.Combine(_folder.Path, "evaluation");

    public void Dispose()
    {
        Environment.SetEnvironmentVariable("PATH", _path);
        _folder.Dispose();
    }

    [Fact]
    public async Task A_hint_that_cannot_be_used_does_not_hide_the_next_one()
    {
        var (addressed, none) = (TestOutput.PathOf("addressed.drv"), TestOutput.PathOf("nowhere.drv"));
        WriteFile(_wanted, "no derivation at all");
        WriteFile(addressed, """Derive([("out","","r:sha256","")],[],[],"s","b",[],[])""");
        WriteDerivation(_good, _wanted);
        using var finder = new DerivationFinder(Store, [], _time);

        var found = await finder.FindAsync(new RebuildTarget(_wanted, [_wanted, none, addressed, _good]), default);

        Assert.Equal((_good, _wanted), (found.Path, found.Wanted));
    }

    [Fact]
    public async Task A_hint_that_cannot_be_used_is_named_when_there_is_no_other()
    {
        var addressed = TestOutput.PathOf("addressed.drv");
        WriteFile(addressed, """Derive([("out","","r:sha256","")],[],[],"s","b",[],[])""");
        using var finder = new DerivationFinder(Store, [], _time);

        var fault = await Assert.ThrowsAnyAsync<Exception>(() => finder.FindAsync(new RebuildTarget(_wanted, [addressed]), default));

        Assert.Contains($"no derivation with the output {_wanted.Absolute}", fault.Message, StringComparison.Ordinal);
        Assert.Contains($"{addressed.Absolute} cannot be rebuilt", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_an_expression_lacked_is_found_once_it_has_been_evaluated_again()
    {
        using var finder = new DerivationFinder(Store, [_folder.Path], _time);
        Task<FoundDerivation> FindAsync() => finder.FindAsync(new RebuildTarget(_wanted, []), default);
        var failed = await Assert.ThrowsAnyAsync<Exception>(FindAsync);
        WriteDerivation(_good, _wanted);
        await File.WriteAllTextAsync(Evaluation, $"{_good.Absolute}\n");
        var soon = await Assert.ThrowsAnyAsync<Exception>(FindAsync);
        _time.Now += TimeSpan.FromHours(2);

        var found = await FindAsync();
        File.Delete(Evaluation);
        _time.Now += TimeSpan.FromHours(2);

        Assert.Contains("cannot be evaluated", failed.Message, StringComparison.Ordinal);
        Assert.Equal(failed.Message, soon.Message);
        Assert.Equal(_good, found.Path);
        Assert.Equal(_good, (await FindAsync()).Path); // what was found is not looked for again
    }

    private OwnStore Store =>
        new(_folder.Path, new NixCommand(_folder.Path, new Dictionary<string, string>(), TimeProvider.System));

    private void WriteDerivation(StorePath derivation, StorePath output) =>
        WriteFile(derivation, $"""Derive([("out","{output.Absolute}","","")],[],[],"s","b",[],[])""");

    private void WriteFile(StorePath path, string text) => File.WriteAllText(_folder.Path + path.Absolute, text);

    private void WriteProgram(string name, string script) => RunnableFile.WriteScript(Path.Combine(_folder.Path, "bin", name), script);
}
