using System.Text.Json;
using TrustixProxy.Consensus;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Inspection;
using TrustixProxy.Substituter.Revocations;
using TrustixProxy.Substituter.Wanted;

namespace TrustixProxy.Substituter.Hosting;

/// <summary>The work list of the proxy over a state directory.</summary>
public static class WorkList
{
    /// <summary>Asks the running proxy; if none runs, reads the last snapshot.</summary>
    /// <returns>The list, best first; or null, with the fault.</returns>
    public static async Task<(WantedList? List, string? Fault)> FindAsync(SubstituterOptions options, CancellationToken cancellation)
    {
        var socket = Path.Combine(options.StateDirectory, ControlSocket.FileName);
        try
        {
            var reply = await ControlSocket.AskAsync(socket, new ControlRequest("wanted", "", "", IsUndone: false), cancellation);
            var (list, fault) = reply is null ? Read(options) : (reply.Wanted, reply.Fault);
            return (list?.With(DoctorSummary.RootsOf(options.StateDirectory)), fault);
        }
        catch (Exception exception) when (exception is IOException or JsonException)
        {
            return (null, $"the proxy over stateDirectory '{options.StateDirectory}' is just stopping; run this again: "
                + exception.Message);
        }
    }

    private static (WantedList? List, string? Fault) Read(SubstituterOptions options)
    {
        var path = Path.Combine(options.StateDirectory, WantedSnapshot.FileName);
        var snapshot = new WantedSnapshot(path, new RecordSeal(options.SigningKey, options.PreviousSigningKeys));
        var table = new WantedTable([], TimeProvider.System);
        table.Restore(snapshot.Read(out var fault));
        return fault is null ? (WantedList.Of(table, new PrivateNames(options.WantedExclude)), null)
            : (null, $"no proxy runs over stateDirectory '{options.StateDirectory}', and '{path}' cannot be used ({fault}): start the "
                + "proxy, which begins a new list");
    }
}
