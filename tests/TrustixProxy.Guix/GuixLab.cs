using System.Collections.Concurrent;

namespace TrustixProxy.Guix;

/// <summary>What every test of the real Guix shares: two build farms that built the same derivations on their own, and clients.</summary>
/// <remarks>Nothing outside its folder changes, and all processes end with it.</remarks>
public sealed class GuixLab : IAsyncLifetime
{
    private readonly ConcurrentBag<Machine> _machines = [];
    private int _clients;

    internal string Directory { get; } = System.IO.Directory.CreateTempSubdirectory("trustix-guix-").FullName;

    /// <summary>The first build farm.</summary>
    internal Farm Alice { get; private set; } = null!;

    /// <summary>The second build farm.</summary>
    internal Farm Bob { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        if (GuixFolder.AtHand is null)
        {
            return; // the tests say what is missing
        }

        var farms = await Task.WhenAll(Farm.StartAsync(NewMachine("alice")), Farm.StartAsync(NewMachine("bob")));
        (Alice, Bob) = (farms[0], farms[1]);
    }

    public async Task DisposeAsync()
    {
        foreach (var machine in _machines)
        {
            await machine.DisposeAsync();
        }

        await Shell.RunAsync("chmod", ["-R", "u+w", Directory]);
        System.IO.Directory.Delete(Directory, recursive: true);
    }

    /// <summary>A machine whose daemon substitutes from these addresses, and trusts these keys alone.</summary>
    internal async Task<Machine> StartClientAsync(IEnumerable<string> substitutes, params IEnumerable<string> publicKeys)
    {
        var machine = NewMachine($"client-{Interlocked.Increment(ref _clients)}");
        await machine.AuthorizeAsync(publicKeys);
        await machine.StartDaemonAsync([.. substitutes]);
        return machine;
    }

    /// <summary>A proxy that demands that both farms agree.</summary>
    /// <param name="alice">Where the first farm is asked; null for the farm itself.</param>
    /// <param name="bob">Where the second farm is asked; null for the farm itself.</param>
    internal Task<GuixProxy> StartProxyAsync(string? alice = null, string? bob = null) => GuixProxy.StartAsync(
        Directory, [(alice ?? Alice.Url, Alice.PublicKey), (bob ?? Bob.Url, Bob.PublicKey)]);

    internal Machine NewMachine(string name)
    {
        var machine = new Machine(Directory, name);
        _machines.Add(machine);
        return machine;
    }
}

[CollectionDefinition(Name)]
public sealed class GuixLabCollection : ICollectionFixture<GuixLab>
{
    public const string Name = "the real Guix";
}
