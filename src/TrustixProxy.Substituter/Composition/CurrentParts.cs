using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Substituter.Revocations;
using TrustixProxy.Substituter.Wanted;

namespace TrustixProxy.Substituter.Composition;

/// <summary>The parts of the active configuration; a reload replaces them.</summary>
internal sealed class CurrentParts(ProxyParts first) : ControlledProxy
{
    private volatile ProxyParts _parts = first;

    /// <summary>The parts that new requests use.</summary>
    public ProxyParts Value
    {
        get => _parts;
        set => _parts = value;
    }

    public override RevocationRegister Revocations => _parts.Revocations;

    public override RefusedNars RefusedNars => _parts.RefusedNars;

    public override WantedList Wanted => WantedList.Of(_parts.Wanted, _parts.WantedNames);
}
